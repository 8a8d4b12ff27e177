import { describe, expect, it } from 'vitest';
import {
  buildScenario,
  builtInCompareLab,
  parseCompareOptions,
  readLabFile,
  UsageError,
} from '../src/index.ts';
import { withEvent } from '../src/lab-file/events/add-event.ts';
import { SERVICES } from '../src/services/registry.ts';

const NAMED = `system:
  nodes:
    vm: {kind: guest}
    host: {kind: backend}
    bridge: {kind: switch}
    card: {kind: nic}
`;

function read(events: string, system = NAMED) {
  return readLabFile(`schema: 1\nname: test\n${system}events:\n${events}`, 'x.yaml');
}

function scenario(events: string) {
  return buildScenario('vhost-user', 'pvp', parseCompareOptions(read(events).options), undefined);
}

function fault(events: string): string {
  try {
    read(events);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

const LATE = '  - {at: 5ms, link: {endpoints: [card:wire, station:wire], loss: 1%, rate: 2.5Gbps}}\n';
const EARLY =
  '  - {at: 1.5us, link: {endpoints: [station:wire, card:wire], delay: 10us, jitter: 1ns, corrupt: 0.1%}}\n';

describe('events of a lab file', () => {
  it('are given to every service as plain data in the order of their moments', () => {
    expect(scenario(LATE + EARLY).events).toEqual([
      { kind: 'link', atPs: 1_500_000, link: 'wire', delayPs: 10_000_000, jitterPs: 1000, corrupt: 0.001 },
      { kind: 'link', atPs: 5_000_000_000, link: 'wire', loss: 0.01, rateBps: 2.5e9 },
    ]);
    expect(scenario(LATE + EARLY)).toSatisfy(
      (config) => SERVICES.backend.definition.check(config).length === 0,
    );
    expect('events' in scenario(' []\n')).toBe(false);
  });

  it('are refused by the back-end service when they are no events', () => {
    const config = scenario(LATE);
    const check = (event: unknown) =>
      SERVICES.backend.definition.check({ ...config, events: [event] as never }).map(({ field }) => field);
    const [event] = config.events ?? [];
    expect(check(event)).toEqual([]);
    expect(check({ ...event, atPs: 1.5 })).toEqual(['events.0.atPs']);
    expect(check({ ...event, loss: 1.1 })).toEqual(['events.0.loss']);
    expect(check({ ...event, kind: 'explode' })).toEqual(['events.0.kind']);
  });

  it('are what a link is set to from the beginning', () => {
    const links = `${NAMED}  links:
    - [vm:vq, host:vq]
    - [host:upcall, bridge:upcall]
    - [host:nic, card:host]
    - {endpoints: [card:wire, station:wire], latency: 10us, jitter: 1us, loss: 1%}
`;
    const { options, topology } = read(LATE, links);
    expect(topology.wireLatencyNs).toBe(10_000);
    expect(buildScenario('vhost-user', 'pvp', parseCompareOptions(options), undefined).events).toEqual([
      { kind: 'link', atPs: 0, link: 'wire', jitterPs: 1_000_000, loss: 0.01 },
      { kind: 'link', atPs: 5_000_000_000, link: 'wire', loss: 0.01, rateBps: 2.5e9 },
    ]);
    expect(() =>
      read(LATE, links.replace('[vm:vq, host:vq]', '{endpoints: [vm:vq, host:vq], loss: 1%}')),
    ).toThrow(/x\.yaml:10:37: system\.links\.0\.loss: only the wire,/);
  });

  it('survive being written as a lab file, with the usual names of nodes', () => {
    const options = parseCompareOptions(read(LATE).options);
    const text = builtInCompareLab(options, { name: 'again' });
    expect(text).toContain('events:\n  - at: 5ms\n');
    expect(parseCompareOptions(readLabFile(text, 'again.yaml').options)).toEqual(options);
  });

  it('are added to a file that has some, and to one that has none; comments stay', () => {
    const event = {
      at: '7us',
      link: { endpoints: ['card:wire', 'station:wire'] as [string, string], loss: '2%' },
    };
    for (const [text, count] of [
      [`schema: 1\nname: test # mine\n${NAMED}`, 1],
      [`schema: 1\nname: test # mine\n${NAMED}events:\n${LATE}`, 2],
    ] as const) {
      const more = withEvent(text, event);
      expect(more).toContain('name: test # mine\n');
      expect(readLabFile(more, 'x.yaml').options.events).toHaveLength(count);
    }
  });

  it.each([
    ['  - {at: 5, link: {}}\n', 'x.yaml:10:6: events.0.at: must be a time such as 10us, not 5'],
    [
      '  - {at: 5h, link: {}}\n',
      'x.yaml:10:6: events.0.at: must be a time such as 10us, not "5h"; units are ns, us, ms and s',
    ],
    [
      '  - {at: 10000s, link: {endpoints: [card:wire, station:wire], loss: 1%}}\n',
      'x.yaml:10:6: events.0.at: 10000s is longer than a run can be, 2.5 hours',
    ],
    ['  - {at: 5ms}\n', 'x.yaml:10:5: events.0: says no event; there are link'],
    [`${LATE}  - {at: 5ms, lnik: {}}\n`, 'x.yaml:11:15: events.1.lnik: no such key here; there are at, link'],
    [
      '  - {at: 5ms, link: {endpoints: [card:wire, station:wire]}}\n',
      'x.yaml:10:15: events.0.link: changes nothing; set delay, jitter, loss, corrupt or rate',
    ],
    [
      '  - {at: 5ms, link: {endpoints: [card:wire, station:wire], loss: 0.01}}\n',
      'x.yaml:10:60: events.0.link.loss: must be a share such as 0.1%, not 0.01',
    ],
    [
      '  - {at: 5ms, link: {endpoints: [card:wire, station:wire], loss: 101%}}\n',
      'x.yaml:10:60: events.0.link.loss: 101% is more than all frames, 100%',
    ],
    [
      '  - {at: 5ms, link: {endpoints: [card:wire, station:wire], rate: 10}}\n',
      'x.yaml:10:60: events.0.link.rate: must be a rate such as 10Gbps, or line, not 10',
    ],
    [
      '  - {at: 5ms, link: {endpoints: [vm:vq, host:vq], loss: 1%}}\n',
      'x.yaml:10:22: events.0.link.endpoints: vm:vq: only the wire, between the network card and the station, can be impaired: the other links are memory and requests inside one machine',
    ],
    [
      '  - {at: 5ms, link: {endpoints: [nic0:wire, station:wire], loss: 1%}}\n',
      'x.yaml:10:22: events.0.link.endpoints: nic0:wire: there is no node "nic0"; there are vm, host, bridge, card, station',
    ],
  ])('are refused with file, line and key: %s', (events, message) => {
    // further kinds of events are named behind it
    expect(fault(events).slice(0, message.length)).toBe(message);
  });
});

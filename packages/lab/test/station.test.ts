import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  LabFolder,
  readLabFile,
  Supervisor,
  thisProcess,
  type WantedLab,
  writeExportedLab,
} from '../src/index.ts';
import { planActions } from '../src/operate/actions.ts';
import { processName, withStationHoused } from '../src/run/station.ts';
import { noTracing, profile, serveCommand } from './support/run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SYSTEM = `
  workloads: [pvp]
  traffic: {packets: 300}
  nodes: {vm: {kind: guest}, host: {kind: backend}, bridge: {kind: switch}, card: {kind: nic}}
  links:
    - [vm:vq, host:vq]
    - [host:upcall, bridge:upcall]
    - [host:nic, card:host]
    - {endpoints: [card:wire, station:wire], latency: 10us}`;

function wanted(placement: string): WantedLab {
  const text = `schema: 1\nname: test\nsystem:${SYSTEM}\nroles: {backends: [vhost-user]}\nplacement: ${placement}\n`;
  const file = join(folder, 'test.lab.yaml');
  return { file, text, vars: {}, description: readLabFile(text, file) };
}

describe('the station', () => {
  it('lives with the card unless the file places it', () => {
    expect(wanted('process').description.topology.services.station).toBeUndefined();
    const { nodes, services } = wanted('{default: process, nodes: {station: embedded}}').description.topology;
    expect(services.station).toEqual({ how: 'embedded' });
    expect(nodes.at(-1)).toMatchObject({ name: 'station', kind: 'station', placement: { how: 'embedded' } });
    expect(() => wanted('{nodes: {station: container}}')).toThrow(
      /placement\.nodes\.station: .*no container/,
    );
    expect(() => wanted('{nodes: {bed: process}}')).toThrow(/there are vm, host, bridge, card, station$/);
  });

  it('comes and goes without touching the services', () => {
    const [together, apart] = ['process', '{default: process, nodes: {station: process}}'].map(wanted);
    const at = (lab: WantedLab) => new Map(Object.entries(lab.description.topology.services)) as never;
    const steps = (from: WantedLab, to: WantedLab) =>
      planActions({ services: at(from), runKey: 'other', isRunning: false }, to).map((action) =>
        'role' in action ? `${action.do} ${action.role}` : action.do,
      );
    expect(steps(together, apart)).toEqual(['start station', 'run']);
    expect(steps(apart, together)).toEqual(['stop station', 'run']);
  });

  it('lives with the card in an exported lab, unless somebody runs it', () => {
    const exported = (placement: string) => {
      writeExportedLab(wanted(placement), folder);
      const text = readFileSync(join(folder, 'lab.yaml'), 'utf8');
      return readLabFile(text, 'lab.yaml').topology.services.station;
    };
    expect(exported('{default: container, nodes: {station: process}}')).toBeUndefined();
    expect(exported('{default: container, nodes: {station: {endpoint: "127.0.0.1:7105"}}}')).toEqual({
      how: 'endpoint',
      address: '127.0.0.1:7105',
    });
  });

  it('has a name of its own only where it is alone', () => {
    const services = (list: string[][]) =>
      withStationHoused(list.map((each) => ({ services: each }))).map((each) => each.services);
    expect(services([['guest'], ['nic']])).toEqual([['guest'], ['nic', 'station']]);
    expect(services([['nic'], ['station', 'guest']])).toEqual([['nic'], ['station', 'guest']]);
    expect(processName(['nic', 'station'])).toBe('nic');
    expect(processName(['station'])).toBe('station');
  });

  it('in a process of its own writes the log of an embedded run, over a wire of 10 µs', async () => {
    const hashes: (string | undefined)[] = [];
    for (const placement of ['embedded', '{default: embedded, nodes: {station: process}}']) {
      const lab = wanted(placement);
      const labFolder = new LabFolder(folder, 'test');
      labFolder.make();
      labFolder.lock(thisProcess());
      const supervisor = new Supervisor(lab, {
        folder: labFolder,
        tracing: noTracing,
        command: serveCommand,
        security: {},
        remoteSecurity: {},
        loadProfile: async () => profile,
        versions: {},
      });
      try {
        await supervisor.apply(lab);
        await expect.poll(() => supervisor.state.phase, { timeout: 20_000, interval: 20 }).toBe('complete');
        hashes.push(supervisor.state.event_log_sha256);
        if (placement !== 'embedded') {
          const station = supervisor.state.nodes.find(({ kind }) => kind === 'station');
          expect(station).toMatchObject({ placement: 'process', state: 'ready' });
          expect(station?.neighbours).toEqual(['backend+guest+nic+switch']);
          expect(station?.pid).not.toBe(process.pid);
        }
      } finally {
        await supervisor.down();
        labFolder.unlock();
      }
    }
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes[1]).toBe(hashes[0]);
  });
});

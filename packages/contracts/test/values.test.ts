import { readFileSync } from 'node:fs';
import {
  AddressError,
  ContractError,
  create,
  fromBinary,
  fromPlanPart,
  MessageQueue,
  parseAddress,
  planV1,
  STATUS,
  statusName,
  toBinary,
  toNumber,
  toPlanPart,
  toUint64,
} from '@vhostlab/contracts';
import type { ComponentPlan } from '@vhostlab/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('numbers of 64 bits', () => {
  it('go both ways below 2^53 and are refused elsewhere', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        expect(toNumber(toUint64(value))).toBe(value);
      }),
    );
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => toUint64(value)).toThrow(RangeError);
    }
    expect(() => toNumber(2n ** 53n)).toThrow(RangeError);
    expect(() => toNumber(-1n)).toThrow(RangeError);
  });
});

describe('addresses', () => {
  it.each([
    ['localhost:50051', { host: 'localhost', port: 50051, target: 'localhost:50051' }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0, target: '127.0.0.1:0' }],
    ['[::1]:7', { host: '::1', port: 7, target: '[::1]:7' }],
    ['unix:/run/a.sock', { socketPath: '/run/a.sock', target: 'unix:/run/a.sock' }],
    ['unix:///run/a.sock', { socketPath: '/run/a.sock', target: 'unix:/run/a.sock' }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  it.each(['', ':1', 'a', 'a:', 'a:-1', 'a:65536', 'a b:1', '::1:7', 'http://a:1', 'unix:a', 'unix://a/b'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseAddress(text)).toThrow(AddressError);
    },
  );
});

describe('status codes', () => {
  it('have names for the numbers of gRPC', () => {
    expect(statusName(0)).toBe('OK');
    expect(statusName(14)).toBe('UNAVAILABLE');
    expect(statusName(99)).toBe('UNKNOWN');
    const numbers = Object.values(STATUS).map(({ number }) => number);
    expect(numbers).toEqual(Array.from({ length: 17 }, (_, at) => at));
  });

  it('stand in the README as in the table', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (.+?) \| `?(.+?)`? \|$/gm)];
    const table = rows.map(([, name, number, meaning, recovery]) => [
      name,
      Number(number),
      meaning,
      recovery,
    ]);
    const expected = Object.entries(STATUS).map(([name, { number, meaning, recovery }]) => [
      name,
      number,
      meaning,
      name === 'OK' ? '-' : recovery,
    ]);
    expect(table).toEqual(expected);
  });
});

describe('plans as messages', () => {
  const plan: ComponentPlan = {
    cores: [
      {
        id: 'b.pmd0',
        service: 'backend',
        module: 'vhost-user.pmd',
        config: { port: 1, list: [1.5, null] },
        mode: 'poll',
        account: 'host',
      },
      {
        id: 'b.worker',
        service: 'backend',
        module: 'vhost.worker',
        config: {},
        mode: 'wait',
        account: 'host',
        wakeOp: 'vhost.wakeup',
      },
    ],
    windows: [{ id: 'b.mem', owner: 'backend', bytes: 2 ** 33 }],
    ends: [
      {
        channel: 'vq',
        kind: 'memory',
        side: 'b',
        core: 'b.pmd0',
        end: 'vq0',
        latency: 'coherent',
        window: 'b.mem',
        queueSizes: [256, 256],
      },
      {
        channel: 'wire',
        kind: 'link',
        side: 'a',
        core: 'b.pmd0',
        end: 'out',
        latency: 'wire',
        capacity: 8,
        bufferBytes: 1 << 20,
      },
      { channel: 'ctl', kind: 'control', side: 'a', core: 'b.worker', end: 'up', latency: 'netlink' },
    ],
  };
  const asMessage = () => create(planV1.PlanPartSchema, toPlanPart(plan));

  it('come back as they were after crossing the wire', () => {
    const bytes = toBinary(planV1.PlanPartSchema, asMessage());
    expect(fromPlanPart(fromBinary(planV1.PlanPartSchema, bytes), 'backend')).toEqual(plan);
  });

  it.each([
    ['core without mode', (part: planV1.PlanPart) => void (part.cores[0]!.mode = 0), 'mode of core b.pmd0'],
    [
      'core with broken JSON',
      (part: planV1.PlanPart) => void (part.cores[0]!.configJson = '{'),
      'core b.pmd0',
    ],
    ['end without side', (part: planV1.PlanPart) => void (part.ends[0]!.side = 0), 'side of end b.pmd0/vq0'],
    ['end with a strange latency', (part: planV1.PlanPart) => void (part.ends[1]!.latencyClass = 'x'), '"x"'],
  ])('refuse a %s', (_, spoil, why) => {
    const part = asMessage();
    spoil(part);
    const read = (): unknown => fromPlanPart(part, 'backend');
    expect(read).toThrow(ContractError);
    expect(read).toThrow(why);
  });
});

describe('message queue', () => {
  it('gives every message once and in order, whatever the schedule', async () => {
    const pauses = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 100 });
    const pause = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns; turn += 1) {
        await Promise.resolve();
      }
    };
    await fc.assert(
      fc.asyncProperty(pauses, pauses, fc.integer({ min: 1, max: 5 }), async (writer, reader, highWater) => {
        const queue = new MessageQueue<number>(highWater);
        const got: number[] = [];
        let most = 0;
        const reading = (async () => {
          for await (const value of queue) {
            got.push(value);
            most = Math.max(most, queue.size);
            await pause(reader[value % reader.length]!);
          }
        })();
        for (const [value, turns] of writer.entries()) {
          await queue.push(value);
          await pause(turns);
        }
        queue.end();
        await reading;
        expect(got).toEqual(writer.map((_, at) => at));
        expect(most).toBeLessThanOrEqual(highWater);
      }),
    );
  });

  it('fails after what came before the failure', async () => {
    const queue = new MessageQueue<string>();
    queue.push('a');
    queue.fail(new Error('broken'));
    queue.push('late');
    expect(await queue.next()).toEqual({ done: false, value: 'a' });
    await expect(queue.next()).rejects.toThrow('broken');
    expect((await queue.next()).done).toBe(true);
  });

  it('tells the writer when there is room again', async () => {
    const queue = new MessageQueue<number>(2);
    expect(queue.push(1)).toBeUndefined();
    const room = queue.push(2);
    expect(room).toBeInstanceOf(Promise);
    await queue.next();
    await queue.next();
    await room;
    expect(queue.size).toBe(0);
  });

  it('lets the writer go when the reader stops', async () => {
    const queue = new MessageQueue<number>(1);
    const room = queue.push(1);
    await queue.return();
    await room;
    expect(queue.closed).toBe(true);
  });
});

describe('errors', () => {
  it('take their recovery from the table unless told otherwise', () => {
    expect(new ContractError('NOT_FOUND', 'x').recovery).toBe('correct');
    expect(new ContractError('NOT_FOUND', 'x', { recovery: 'wait' }).recovery).toBe('wait');
  });
});

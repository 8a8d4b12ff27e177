import { type Client, ContractError, createClient } from '@vhostlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EchoService } from './gen/vhostlab/test/v1/echo_pb.ts';
import { echoImplementation, type Seen } from './support/echo.ts';
import { type Joined, WAYS } from './support/transports.ts';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) {
    all.push(item);
  }
  return all;
}

async function failure(promise: Promise<unknown>): Promise<ContractError> {
  const error = await promise.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ContractError);
  return error as ContractError;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe.each(WAYS)('calls over $name', ({ join }) => {
  let joined: Joined;
  let seen: Seen;
  let client: Client<typeof EchoService>;

  beforeEach(async () => {
    seen = { aborted: [], deadlines: [] };
    joined = await join([echoImplementation(seen)]);
    client = createClient(EchoService, joined.transport);
  });
  afterEach(() => joined.close());

  it('answers a unary call with bytes and 64-bit numbers', async () => {
    const data = Uint8Array.of(1, 2, 255);
    const answer = await client.say({ text: 'hé', data, number: 2n ** 63n });
    expect(answer.text).toBe('hé');
    expect([...answer.data]).toEqual([1, 2, 255]);
    expect(answer.number).toBe(2n ** 63n);
  });

  it('shares no object between the two sides', async () => {
    const data = Uint8Array.of(1, 2, 3);
    const answer = await client.say({ data });
    data[0] = 9;
    expect(answer.data[0]).toBe(1);
    expect(answer.data.buffer).not.toBe(data.buffer);
  });

  it('streams answers in order', async () => {
    const answers = await collect(client.repeat({ text: 'x', times: 1000 }));
    expect(answers.map(({ index }) => index)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });

  it('streams requests', async () => {
    const call = client.join();
    for (const text of ['a', 'b', 'c']) {
      await call.send({ text });
    }
    expect((await call.finish()).text).toBe('a b c');
  });

  it('streams both ways, answer by answer', async () => {
    const call = client.chat();
    for (const text of ['a', 'b', 'c']) {
      await call.send({ text });
      expect((await call.receive())?.text).toBe(`you said ${text}`);
    }
    call.closeSend();
    expect(await call.receive()).toBeUndefined();
  });

  it('maps a refusal to code, message, recovery and diagnostics', async () => {
    const error = await failure(client.say({ text: 'naïve 100%', fail: 'NOT_FOUND' }));
    expect(error).toMatchObject({
      code: 'NOT_FOUND',
      message: 'refused: naïve 100%',
      recovery: 'wait',
      service: 'vhostlab.test.v1.EchoService',
      method: 'Say',
    });
    expect(error.diagnostics).toHaveLength(1);
    expect(error.diagnostics[0]).toMatchObject({ severity: 1, summary: 's', detail: 'd', field: 'a[0].b' });
  });

  it('maps an exception of a handler to INTERNAL', async () => {
    const error = await failure(client.say({ fail: 'THROW' }));
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'a fault of the program', recovery: 'report' });
  });

  it('gives what came before a failure in the middle of a stream', async () => {
    const got: number[] = [];
    const read = async (): Promise<void> => {
      for await (const { index } of client.repeat({ times: 9, failAfter: 5 })) {
        got.push(index);
      }
    };
    expect(await failure(read())).toMatchObject({ code: 'INTERNAL', message: 'failed after 5' });
    expect(got).toEqual([0, 1, 2, 3, 4]);
  });

  it('ends with DEADLINE_EXCEEDED and tells the handler', async () => {
    const error = await failure(client.say({ text: 'slow', delayMs: 300 }, { timeoutMs: 30 }));
    expect(error).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: 'vhostlab.test.v1.EchoService/Say got no answer within 30 ms.',
    });
    await until(() => seen.aborted.includes('slow'));
    expect(seen.deadlines[0]).toBeTypeOf('number');
  });

  it('has no deadline when told so', async () => {
    await client.say({}, { timeoutMs: Number.POSITIVE_INFINITY });
    expect(seen.deadlines).toEqual([undefined]);
  });

  it('ends with CANCELLED on abort and tells the handler', async () => {
    const abort = new AbortController();
    const call = client.say({ text: 'given up', delayMs: 300 }, { signal: abort.signal });
    await until(() => seen.deadlines.length === 1);
    abort.abort();
    expect(await failure(call)).toMatchObject({ code: 'CANCELLED', method: 'Say' });
    await until(() => seen.aborted.includes('given up'));
  });

  it('is refused at once by a signal that was aborted before', async () => {
    const error = await failure(client.say({}, { signal: AbortSignal.abort() }));
    expect(error.code).toBe('CANCELLED');
  });

  it('cancels when a loop over answers is left', async () => {
    for await (const { index } of client.repeat({ text: 'left', times: 1_000_000 })) {
      if (index === 3) {
        break;
      }
    }
    await until(() => seen.aborted.includes('left'));
  });

  it('cancels a bidirectional call that waits on both sides', async () => {
    const call = client.chat();
    await call.send({ text: 'a' });
    expect((await call.receive())?.text).toBe('you said a');
    const waiting = failure(call.receive());
    call.cancel();
    expect((await waiting).code).toBe('CANCELLED');
    await until(() => seen.aborted.includes('chat'));
  });

  it('answers UNIMPLEMENTED for a service that is not there', async () => {
    const other = await join([]);
    const error = await failure(createClient(EchoService, other.transport).say({}));
    expect(error.code).toBe('UNIMPLEMENTED');
    await other.close();
  });

  it('refuses a message above 64 MiB on the sending side', async () => {
    const error = await failure(client.say({ data: new Uint8Array(64 * 1024 * 1024 + 1) }));
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', recovery: 'correct' });
  });

  it('carries a message of 20 MiB', async () => {
    const data = new Uint8Array(20 * 1024 * 1024);
    data[data.length - 1] = 7;
    const answer = await client.say({ data });
    expect(answer.data.length).toBe(data.length);
    expect(answer.data.at(-1)).toBe(7);
  });

  it('refuses a deadline that no timer can hold', async () => {
    await expect(client.say({}, { timeoutMs: 0 })).rejects.toThrow('timeoutMs is 0');
  });
});

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  closeAll,
  drainEvent,
  eventFd,
  Fd,
  openDescriptors,
  Poller,
  pipe,
  Reactor,
  readBytes,
  signalEvent,
  UnixListener,
  UnixSocket,
  writeBytes,
} from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'host-'));
afterAll(() => rmSync(folder, { recursive: true }));

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('UnixSocket', () => {
  it('carries bytes and a descriptor that works at the other end', () => {
    const [a, b] = UnixSocket.pair();
    const event = eventFd();
    expect(a.send(text('hello'), [event])).toBe(5);
    const into = new Uint8Array(100);
    const got = b.receive(into);
    if (typeof got === 'string') throw new Error(got);
    expect(new TextDecoder().decode(into.subarray(0, got.bytes))).toBe('hello');
    expect(got.fds).toHaveLength(1);
    expect(got.fds[0]?.number).not.toBe(event.number);
    signalEvent(event.number);
    expect(drainEvent(got.fds[0]?.number ?? -1)).toBe(true);
    expect(drainEvent(event.number)).toBe(false);
    closeAll([...got.fds, event]);
    a.close();
    b.close();
  });

  it('says "again" without data, "closed" after the peer closed', () => {
    const [a, b] = UnixSocket.pair();
    const into = new Uint8Array(10);
    expect(b.receive(into)).toBe('again');
    a.close();
    expect(b.receive(into)).toBe('closed');
    expect(b.send(text('x'))).toBe('closed');
    b.close();
  });

  it('says "again" when the peer does not read, and goes on when it does', () => {
    const [a, b] = UnixSocket.pair();
    const chunk = new Uint8Array(65536);
    let sent = 0;
    for (let i = 0; i < 1000; i++) {
      const n = a.send(chunk);
      if (typeof n === 'string') break;
      sent += n;
    }
    expect(sent).toBeGreaterThan(0);
    expect(a.send(chunk)).toBe('again');
    let got = 0;
    for (let r = b.receive(chunk); typeof r !== 'string'; r = b.receive(chunk)) got += r.bytes;
    expect(got).toBe(sent);
    a.close();
    b.close();
  });

  it('reports descriptors that found no room, and leaks none over 300 messages', () => {
    const [a, b] = UnixSocket.pair();
    const events = [eventFd(), eventFd(), eventFd()];
    const into = new Uint8Array(10);
    const before = openDescriptors();
    for (let i = 0; i < 300; i++) {
      a.send(text('x'), events);
      const got = b.receive(into, 1);
      if (typeof got === 'string') throw new Error(got);
      // the control area of one descriptor has room for two because of its alignment
      expect(got.truncated).toBe(true);
      expect(got.fds.length).toBeLessThan(3);
      closeAll(got.fds);
    }
    expect(openDescriptors()).toBe(before);
    closeAll(events);
    a.close();
    b.close();
  });
});

describe('UnixListener', () => {
  it('accepts, keeps strangers out by its mode, and removes its file', () => {
    const path = join(folder, 'a');
    const listener = UnixListener.listen(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(listener.accept()).toBeUndefined();
    const client = UnixSocket.connect(path);
    const server = listener.accept();
    expect(server?.send(text('hi'))).toBe(2);
    client.close();
    server?.close();
    listener.close();
    expect(() => UnixSocket.connect(path)).toThrow(/ENOENT/);
  });

  it('replaces a socket file that nobody serves and refuses one that somebody does', () => {
    const path = join(folder, 'b');
    const first = UnixListener.listen(path);
    expect(() => UnixListener.listen(path)).toThrow(/somebody listens there: EADDRINUSE/);
    // as a killed process leaves it: the file without a listener
    first.fd.close();
    const second = UnixListener.listen(path);
    UnixSocket.connect(path).close();
    second.close();
  });

  it('does not remove a plain file that stands in its place', () => {
    const path = join(folder, 'c');
    writeFileSync(path, 'data');
    expect(() => UnixListener.listen(path)).toThrow(/not a socket: EADDRINUSE/);
    expect(statSync(path).size).toBe(4);
  });

  it('names the limit of a path that is too long', () => {
    expect(() => UnixListener.listen(`/tmp/${'x'.repeat(120)}`)).toThrow(/at most 107 bytes\): ENAMETOOLONG/);
  });
});

describe('Poller', () => {
  it('names what is ready by its token', () => {
    const poller = new Poller();
    const events = [eventFd(), eventFd()];
    poller.add(events[0] as Fd, 7);
    poller.add(events[1] as Fd, 0xfffffff0);
    expect(poller.wait(0)).toBe(0);
    signalEvent(events[1]?.number ?? -1);
    expect(poller.wait(1000)).toBe(1);
    expect(poller.token(0)).toBe(0xfffffff0);
    poller.remove(events[1] as Fd);
    expect(poller.wait(0)).toBe(0);
    closeAll(events);
    poller.close();
  });
});

describe('Reactor', () => {
  it('calls back while the event loop goes on, stops, and leaves no descriptor', async () => {
    const before = openDescriptors();
    const reactor = new Reactor();
    const event = eventFd();
    let calls = 0;
    const seen = new Promise<void>((resolve) => {
      const end = reactor.watch(event, () => {
        drainEvent(event.number);
        if (++calls === 3) {
          end();
          resolve();
        } else {
          signalEvent(event.number);
        }
      });
    });
    signalEvent(event.number);
    await seen;
    signalEvent(event.number);
    await reactor.stop();
    expect(calls).toBe(3);
    event.close();
    expect(openDescriptors()).toBe(before);
  });
});

describe('Fd', () => {
  it('closes once, and is no number afterwards', () => {
    const before = openDescriptors();
    const fd = eventFd();
    const copy = fd.dup();
    expect(openDescriptors()).toBe(before + 2);
    fd.close();
    fd.close();
    expect(fd.number).toBe(-1);
    expect(signalEvent(fd.number)).toBe(false);
    expect(signalEvent(copy.number)).toBe(true);
    copy.close();
    expect(openDescriptors()).toBe(before);
  });

  it('is never made of what is no descriptor', () => {
    expect(() => new Fd(-1, 'nothing')).toThrow(RangeError);
  });
});

describe('pipes', () => {
  it('carry bytes without waiting, and say when the other end is gone', () => {
    const [reader, writer] = pipe();
    const into = new Uint8Array(16);
    expect(readBytes(reader, into)).toBe('again');
    expect(writeBytes(writer, text('state'))).toBe(5);
    expect(readBytes(reader, into)).toBe(5);
    expect(new TextDecoder().decode(into.subarray(0, 5))).toBe('state');
    writer.close();
    expect(readBytes(reader, into)).toBe('closed');
    reader.close();
    const [otherReader, otherWriter] = pipe();
    otherReader.close();
    expect(writeBytes(otherWriter, text('x'))).toBe('closed');
    otherWriter.close();
  });
});

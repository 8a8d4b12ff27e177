import { drainEvent, eventFd, signalEvent } from '@vhostlab/host';
import { expect, it } from 'vitest';
import { Idle } from '../src/worker/idle.ts';

it('a signal whose command was served before does not keep the thread awake', () => {
  const wake = eventFd();
  const idle = new Idle(wake.number);
  signalEvent(wake.number);
  idle.forCommand();
  expect(drainEvent(wake.number)).toBe(false);
  idle.close();
  wake.close();
});

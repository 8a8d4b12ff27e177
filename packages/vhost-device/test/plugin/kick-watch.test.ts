import { drainEvent, eventFd, signalEvent } from '@vhostlab/host';
import { expect, it } from 'vitest';
import { KickWatch } from '../../src/plugin/kick-watch.ts';

it('a signal whose command was served before does not keep the thread awake', () => {
  const wake = eventFd();
  const watch = new KickWatch(wake.number);
  signalEvent(wake.number);
  watch.sleep(0);
  expect(drainEvent(wake.number)).toBe(false);
  watch.close();
  wake.close();
});

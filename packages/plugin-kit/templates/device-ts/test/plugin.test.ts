import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runPlugin, testFrames } from '@vhostlab/backend-sdk/test-kit';
import plugin from '../src/index.ts';

for (const ring of ['split', 'packed'] as const) {
  test(`carries frames both ways, ${ring} rings`, () => {
    const { wire, guests, offered, delivered } = runPlugin(plugin, { ring, frames: 20 });
    assert.deepEqual(wire, testFrames(20));
    assert.deepEqual(
      guests[0]?.received.map(({ bytes }) => bytes),
      testFrames(20),
    );
    assert.equal(delivered, offered);
  });
}

import { describe, expect, it } from 'vitest';
import { openDescriptors, Thread } from '../src/index.ts';

const loop = new URL('./thread-loop.ts', import.meta.url);

describe('Thread', () => {
  it('answers commands in order from a loop that never yields, notes included', async () => {
    const before = openDescriptors();
    const thread = new Thread(loop, { port: 'drop' }, 'loop');
    const notes: unknown[] = [];
    thread.onNote = (note) => notes.push(note);
    const answers = await Promise.all(['a', 'b', 'c'].map((body) => thread.call(body)));
    expect(answers).toEqual(['a', 'b', 'c'].map((body) => ({ body, turned: true, data: { port: 'drop' } })));
    await expect(thread.call('fail')).rejects.toThrow('asked to fail');
    expect(await thread.call('still there')).toMatchObject({ body: 'still there' });
    expect(notes).toEqual(['ready']);
    await thread.stop();
    await expect(thread.call('late')).rejects.toThrow('has ended');
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  it('rejects what waits when the thread dies', async () => {
    const thread = new Thread(loop, null, 'loop');
    await expect(thread.call('die')).rejects.toThrow('has ended');
    expect(await thread.ended).toBeUndefined();
  });
});

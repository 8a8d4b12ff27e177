import { PluginUsageError } from '../package/manifest.ts';
import { PLUGIN_CHECKS } from './run.ts';

/**
 * Reads a file of expected failures: a line per check, its id and then the reason; `#` begins a comment. Throws
 * PluginUsageError naming the line.
 */
export function readExpectedFailures(text: string, path: string): Map<string, string> {
  const expected = new Map<string, string>();
  for (const [at, line] of text.split('\n').entries()) {
    const content = line.replace(/#.*$/, '').trim();
    if (content === '') continue;
    const [id = '', ...words] = content.split(/\s+/);
    const fail = (why: string): never => {
      throw new PluginUsageError(`${path}:${at + 1}: ${why}`);
    };
    if (!PLUGIN_CHECKS.some((check) => check.id === id)) fail(`no check is named ${id}`);
    if (words.length === 0) fail(`${id} needs a reason after it`);
    if (expected.has(id)) fail(`${id} stands there twice`);
    expected.set(id, words.join(' '));
  }
  return expected;
}

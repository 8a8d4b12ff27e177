import type { PluginDefinition } from '@vhostlab/backend-sdk';
import { isAddress, type OpenPlugins, PLUGINS } from '@vhostlab/lab';
import { PluginUsageError } from './manifest.ts';
import { openPlugin, type PluginPlace } from './open-plugin.ts';
import { unpackTarball } from './unpack-tarball.ts';

/** The place of a plugin by what a person writes: a folder, a tarball, or an address. */
export async function placeAt(text: string): Promise<PluginPlace> {
  if (isAddress(text)) return { endpoint: text };
  return { package: /\.(tgz|tar\.gz)$/.test(text) ? await unpackTarball(text) : text };
}

/**
 * Opens the plugins at these places, so that a back-end service can host them beside the built-in back ends. Throws
 * PluginUsageError; then nothing of them runs.
 */
export async function openPlaces(places: readonly string[]): Promise<OpenPlugins> {
  const plugins = new Map<string, PluginDefinition>();
  const ends: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => void (await Promise.all(ends.map((end) => end())));
  try {
    const opened = await Promise.allSettled(
      places.map(async (place) => {
        const plugin = await openPlugin(await placeAt(place));
        ends.push(plugin.close);
        return { place, plugin };
      }),
    );
    for (const one of opened) {
      if (one.status === 'rejected') throw one.reason;
      const { place, plugin } = one.value;
      const { name, device } = plugin;
      if (device === undefined) {
        throw new PluginUsageError(
          `plugin ${name} at ${place} is a device plugin, whose cores run in the host; name its folder`,
        );
      }
      if (PLUGINS.some((one) => one.name === name)) {
        throw new PluginUsageError(
          `the plugin at ${place} is named ${name}, as a built-in back end is; rename it`,
        );
      }
      const twin = [...plugins].find(([, one]) => one.name === name);
      if (twin !== undefined) {
        throw new PluginUsageError(
          `the plugins at ${twin[0]} and ${place} are both named ${name}; rename one of them`,
        );
      }
      plugins.set(place, device);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { plugins, close };
}

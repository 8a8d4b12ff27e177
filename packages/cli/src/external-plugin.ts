import { pathToFileURL } from 'node:url';
import type { ExternalPlugin } from '@vhostlab/vhost-device';
import { OperatorError } from './errors.ts';

/** A plugin for a real guest, and the end of its process where it has one. */
export interface OpenExternal {
  readonly external: ExternalPlugin;
  close(): Promise<void>;
}

/**
 * Opens the plugin at `place`, a folder or an address, with these options. Throws an error of the operator when it cannot
 * serve a real guest.
 */
export async function openExternal(place: string, options: Record<string, unknown>): Promise<OpenExternal> {
  const kit = await import('@vhostlab/plugin-kit');
  const isAddress = place.startsWith('unix:') || /^[^/]+:\d+$/.test(place);
  const manifest = isAddress ? undefined : kit.readManifest(place);
  const launched = manifest?.depth === 'burst' ? await kit.launch(manifest) : undefined;
  const close = async (): Promise<void> => launched?.close();
  try {
    if (manifest?.depth === 'device') {
      const { attachesAs, name } = await kit.importPlugin(manifest).then(kit.asDevice);
      if (attachesAs !== 'vhost-user') {
        throw new OperatorError(`--plugin: ${name} attaches as ${attachesAs}; a real guest needs vhost-user`);
      }
      const module = pathToFileURL(manifest.module as string).href;
      return { external: { depth: 'device', module, options }, close };
    }
    const address = launched?.address ?? place;
    const plugin = await kit.openPlugin({ endpoint: address });
    await plugin.close();
    const { name, summary, depth, device } = plugin;
    if (depth !== 'burst' || device === undefined) {
      throw new OperatorError('--plugin: a device plugin runs in this process; name its folder');
    }
    const [fault] = kit.optionFaults(device.options, options, '');
    if (fault !== undefined) throw new OperatorError(`--option ${fault.field}: ${fault.summary}`);
    return { external: { depth, name, summary, version: device.version, address, options }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

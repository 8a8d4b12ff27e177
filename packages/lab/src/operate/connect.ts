import { controlV1, createClient, createGrpcTransport } from '@vhostlab/contracts';
import type { LabState } from './state.ts';

/** A command's connection to a lab that is up. */
export function connectToLab(state: LabState) {
  const transport = createGrpcTransport(state.control);
  const client = createClient(controlV1.LabService, transport);
  return { client, close: () => transport.close() };
}

// what one service in a process of its own needs, and no more: commands, lab files and the other services cost it time
export {
  type HostedServices,
  type HostOptions,
  hostParts,
  type Service,
  type Tracing,
} from './services/host-parts.ts';
export { loadService } from './services/load-services.ts';
export type { Part } from './services/parts.ts';

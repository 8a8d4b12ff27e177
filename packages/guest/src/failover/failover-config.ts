import type { FailoverDeviceName, GuestLayout } from '@vhostlab/workload';
import type { VcpuConfig } from '../core-config.ts';

/** A network device of a guest with net_failover, as a vCPU reaches it. */
export interface FailoverDevice {
  name: FailoverDeviceName;
  /** Of vCPU 0: register channel. */
  pci: string;
  layout: GuestLayout;
  /** What its queue pair on this vCPU is configured with. */
  port: VcpuConfig;
}

/** Configuration of a `guest/failover` core: a vCPU whose driver is net_failover over several devices. Plain data. */
export interface FailoverConfig {
  queue: number;
  devices: FailoverDevice[];
  /** The primary device at power-on. */
  primary: 'emulated' | 'passed';
}

/** Requests on `plug.<guest>`, from the VMM to vCPU 0; `body[0]` is the place of the device in the list. */
export const PLUG = 1;
/** The driver stops using the device; answered when what it sent has left. */
export const UNPLUG = 2;
/** The device is gone, or the driver is to reset it: answered when its memory is free again. */
export const UNPLUGGED = 3;

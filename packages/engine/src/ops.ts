/** What an operation adds to, besides time. */
export type OpCounter = 'kick' | 'call' | 'exit' | 'copy' | 'dma' | 'none';

/** One operation that components charge: the stage its time belongs to and what it counts. */
export interface OpDefinition {
  readonly op: string;
  readonly stage: string;
  readonly counts: OpCounter;
}

function define(stage: string, counts: OpCounter, ...ops: string[]): OpDefinition[] {
  return ops.map((op) => ({ op, stage, counts }));
}

/**
 * Every operation there is. Its cost stands in the cost profiles (a test compares the two lists); stage
 * names are the same in code, events, documents and reports.
 */
export const OPS: readonly OpDefinition[] = [
  ...define('guest.app', 'none', 'guest.app_tx', 'guest.app_rx', 'guest.forward', 'guest.poll_empty'),
  ...define('guest.skb_alloc', 'none', 'guest.skb_alloc', 'guest.mbuf_alloc'),
  ...define('guest.vring_add', 'none', 'guest.vring_add', 'guest.vring_add_packed', 'guest.rx_refill'),
  ...define('guest.kick', 'none', 'guest.kick_check'),
  ...define('guest.kick', 'kick', 'guest.kick', 'guest.doorbell'),
  ...define('guest.tx_reclaim', 'none', 'guest.tx_reclaim'),
  ...define(
    'guest.napi_poll',
    'none',
    'guest.napi_poll',
    'guest.vring_pop',
    'guest.vring_pop_packed',
    'guest.ring_line',
  ),
  ...define('guest.skb_deliver', 'none', 'guest.skb_deliver', 'guest.gso', 'guest.checksum'),
  ...define('guest.copy', 'none', 'guest.user_copy'),
  ...define(
    'guest.tlb',
    'none',
    'guest.tlb_l2',
    'guest.tlb_walk_4k',
    'guest.tlb_walk_2m',
    'guest.tlb_walk_1g',
  ),
  ...define('kvm.exit', 'exit', 'kvm.exit', 'kvm.exit_mmio'),
  ...define('kvm.ioeventfd', 'none', 'kvm.ioeventfd'),
  ...define('kvm.inject', 'call', 'kvm.inject_posted'),
  ...define('kvm.inject', 'exit', 'kvm.inject_exit', 'kvm.halt_wakeup'),
  ...define('vhost.wakeup', 'none', 'vhost.wakeup', 'softirq.wakeup'),
  ...define(
    'vhost.fetch',
    'none',
    'vhost.fetch',
    'vhost.fetch_packed',
    'vhost.ring_line',
    'vhost.poll_empty',
  ),
  ...define('vhost.copy', 'copy', 'vhost.copy'),
  ...define(
    'vhost.tlb',
    'none',
    'vhost.tlb_l2',
    'vhost.tlb_walk_4k',
    'vhost.tlb_walk_2m',
    'vhost.tlb_walk_1g',
  ),
  ...define('vhost.used', 'none', 'vhost.used', 'vhost.used_packed'),
  ...define('vhost.call', 'none', 'vhost.call_check'),
  ...define('vhost.call', 'none', 'vhost.call'),
  ...define('tap.xmit', 'none', 'tap.xmit', 'tap.skb_alloc'),
  ...define('tap.enqueue', 'none', 'tap.enqueue'),
  ...define('softirq.poll', 'none', 'softirq.poll', 'softirq.skb_alloc'),
  ...define('switch.parse', 'none', 'switch.parse'),
  ...define(
    'switch.lookup',
    'none',
    'switch.emc_hit',
    'switch.smc_hit',
    'switch.mask_cache',
    'switch.subtable_probe',
  ),
  ...define('switch.upcall', 'none', 'switch.upcall', 'switch.upcall_kernel', 'switch.translate'),
  ...define(
    'switch.actions',
    'none',
    'switch.actions',
    'switch.ring_enqueue',
    'switch.ring_dequeue',
    'switch.ring_empty',
  ),
  ...define('switch.offload_insert', 'none', 'switch.offload_insert'),
  ...define('representor.rx', 'none', 'representor.rx'),
  ...define('nic.driver', 'none', 'nic.pmd_rx', 'nic.pmd_tx', 'nic.kernel_tx', 'nic.poll_empty'),
  ...define('nic.doorbell', 'none', 'nic.doorbell'),
  ...define('nic.desc_read', 'dma', 'nic.desc_read'),
  ...define('nic.dma_read', 'dma', 'nic.dma_read'),
  ...define('nic.dma_write', 'dma', 'nic.dma_write'),
  ...define('nic.used_write', 'dma', 'nic.used_write'),
  ...define('nic.interrupt', 'dma', 'nic.interrupt'),
  ...define('nic.eswitch', 'none', 'nic.eswitch'),
  ...define('nic.iotlb', 'none', 'nic.iotlb_miss'),
  ...define('wire.tx', 'none', 'wire.tx'),
  ...define('wire.rx', 'none', 'wire.rx'),
  ...define('vdpa.relay', 'exit', 'vdpa.doorbell_relay'),
  ...define('vdpa.irqfd', 'none', 'vdpa.irqfd'),
  ...define('vdpa.shadow', 'none', 'vdpa.shadow_wakeup', 'vdpa.shadow_relay', 'vdpa.shadow_call'),
  ...define('migration.send', 'none', 'migration.send'),
];

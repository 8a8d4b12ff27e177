export {
  NIC_DESC_BYTES,
  NIC_DONE,
  NIC_RX_CSUM_BAD,
  NIC_RX_CSUM_GOOD,
  NIC_RX_DESC,
  NIC_RX_LAST,
  NIC_RX_WRITE_BACK,
  NIC_TX_CONTEXT,
  NIC_TX_CONTEXT_BIT,
  NIC_TX_DESC,
  NIC_TX_LAST,
  NIC_TX_REPORT,
  nicRingBytes,
} from './descriptors.ts';
export {
  NIC_FAULT_CONTEXT,
  NIC_FAULT_EMPTY,
  NIC_FAULT_TAIL,
  NIC_FAULT_TOO_LONG,
  nicFaultName,
} from './faults.ts';
export type { NicRingOptions } from './ring.ts';
export { NicRxDevice } from './rx-device.ts';
export { NicRxBurst, NicRxDriver, type NicRxDriverOptions } from './rx-driver.ts';
export { NicTxBurst } from './tx-burst.ts';
export { NicTxDevice, type NicTxDeviceOptions } from './tx-device.ts';
export { NicTxDriver, type NicTxDriverOptions } from './tx-driver.ts';

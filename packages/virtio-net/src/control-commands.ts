/** Classes of the control virtqueue (virtio 1.3, 5.1.6.5). */
export const CTRL_CLASS = {
  RX: 0,
  MAC: 1,
  VLAN: 2,
  ANNOUNCE: 3,
  MQ: 4,
  GUEST_OFFLOADS: 5,
  NOTF_COAL: 6,
} as const;

/** Commands of each class. */
export const CTRL_RX = { PROMISC: 0, ALLMULTI: 1, ALLUNI: 2, NOMULTI: 3, NOUNI: 4, NOBCAST: 5 } as const;
export const CTRL_MAC = { TABLE_SET: 0, ADDR_SET: 1 } as const;
export const CTRL_VLAN = { ADD: 0, DEL: 1 } as const;
export const CTRL_ANNOUNCE = { ACK: 0 } as const;
export const CTRL_MQ = { VQ_PAIRS_SET: 0, RSS_CONFIG: 1, HASH_CONFIG: 2 } as const;
export const CTRL_GUEST_OFFLOADS = { SET: 0 } as const;
export const CTRL_NOTF_COAL = { TX_SET: 0, RX_SET: 1, VQ_SET: 2, VQ_GET: 3 } as const;

/** Values of the ack byte. */
export const CTRL_OK = 0;
export const CTRL_ERR = 1;

/** Bytes in front of a command's data. */
export const CTRL_HEADER_BYTES = 2;

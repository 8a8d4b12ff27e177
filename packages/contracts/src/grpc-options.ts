import { type ChannelOptions, logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES } from './transport.ts';

// What goes wrong is thrown as one sentence; the library would print it to standard error as well.
if (process.env.GRPC_VERBOSITY === undefined) {
  setLogVerbosity(logVerbosity.NONE);
}

/** Trailing metadata of a failed call: an encoded ErrorDetail. */
export const ERROR_DETAIL_KEY = 'vhostlab-error-bin';

/** Options of channels and servers alike. */
export const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  // Peers of a lab are never behind a proxy that the environment names.
  'grpc.enable_http_proxy': 0,
  // A call that failed is reported, not repeated behind the caller's back.
  'grpc.enable_retries': 0,
  // Channels of one process to one address do not share a connection: closing one leaves the others alone.
  'grpc.use_local_subchannel_pool': 1,
  // No TXT records are asked for: where nobody answers them, the question would outlive the connection.
  'grpc.service_config_disable_resolution': 1,
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
  'grpc.so_reuseport': 0,
};

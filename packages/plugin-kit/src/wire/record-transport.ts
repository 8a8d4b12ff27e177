import { ContractError, MessageQueue, type RawCall, type Transport } from '@vhostlab/contracts';
import { WIRE_METHODS, type WireMethod, type WireWriter } from './wire-file.ts';
import { wireMessage } from './wire-message.ts';

/** The transport with every call of the two contracts written down, in bytes as they crossed. */
export function recordTransport(transport: Transport, writer: WireWriter): Transport {
  return {
    ...transport,
    open(method, metadata, deadlineAt) {
      const name = `${method.parent.typeName}/${method.name}`;
      const known = WIRE_METHODS.get(name);
      const call = transport.open(method, metadata, deadlineAt);
      return known === undefined ? call : new RecordedCall(call, known, name, writer);
    },
  };
}

/** A call that writes down what crosses. Answers are read at once, so that their order is that of the wire. */
class RecordedCall implements RawCall {
  readonly responses = new MessageQueue<Uint8Array>();
  readonly #call: RawCall;
  readonly #number: number;
  readonly #method: WireMethod;
  readonly #writer: WireWriter;

  constructor(call: RawCall, method: WireMethod, name: string, writer: WireWriter) {
    this.#call = call;
    this.#method = method;
    this.#writer = writer;
    this.#number = writer.nextCall();
    writer.add({ call: this.#number, do: 'open', method: name });
    void this.#pump();
  }

  send(message: Uint8Array): Promise<void> | undefined {
    this.#writer.add({ call: this.#number, do: 'send', ...wireMessage(this.#method.input, message) });
    return this.#call.send(message);
  }

  closeSend(): void {
    this.#writer.add({ call: this.#number, do: 'close' });
    this.#call.closeSend();
  }

  cancel(): void {
    this.#writer.add({ call: this.#number, do: 'cancel' });
    this.#call.cancel();
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#call.responses.next();
        if (done === true) break;
        this.#writer.add({ call: this.#number, do: 'receive', ...wireMessage(this.#method.output, value) });
        await this.responses.push(value);
      }
      this.#writer.add({ call: this.#number, do: 'end', status: 'OK' });
      this.responses.end();
    } catch (error) {
      const { code, message } =
        error instanceof ContractError ? error : new ContractError('UNKNOWN', String(error));
      this.#writer.add({ call: this.#number, do: 'end', status: code, text: message });
      this.responses.fail(error);
    }
  }
}

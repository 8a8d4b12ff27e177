import { createFile, type Fd, writeBytes } from '@vhostlab/host';
import { FrontendError } from './errors.ts';
import { captureWriter } from './worker/capture-handler.ts';

/** Makes a capture file for so many queue pairs and writes its head. Throws a FrontendError when it cannot be made. */
export function makeCaptureFile(path: string, pairs: number): Fd {
  try {
    const file = createFile(path);
    writeBytes(file, captureWriter(pairs).take());
    return file;
  } catch (error) {
    throw new FrontendError(`cannot write ${path}: ${(error as Error).message}.`);
  }
}

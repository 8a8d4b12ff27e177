import { serveGrpc } from '@vhostlab/contracts';
import { echoImplementation } from './echo.ts';

/** A process that serves the echo service at the address given, until it is killed. */
const server = await serveGrpc({ listen: process.argv[2]!, implementations: [echoImplementation()] });
process.stdout.write(`${server.address}\n`);

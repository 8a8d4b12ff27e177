import { pack, tarballFolder } from './pack.ts';

// npm run pack [-- FOLDER]: tarballs of the command and the SDK
for (const path of pack(process.argv[2] ?? tarballFolder())) process.stdout.write(`${path}\n`);

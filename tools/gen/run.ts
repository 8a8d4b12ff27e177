import { generate, targets } from './generate.ts';
import { generateSchemas } from './schemas.ts';
import { generateVhostUserPage } from './vhost-user-doc.ts';

/**
 * `node tools/gen/run.ts` writes the code of all contracts, the JSON Schemas and the tables of
 * docs/vhost-user.md; with `--check` it writes nothing and ends with 1 and the
 * names of the files that differ from the committed ones.
 */
const root = new URL('../..', import.meta.url).pathname;
const args = process.argv.slice(2);
const unknown = args.find((arg) => arg !== '--check');
if (unknown !== undefined) {
  process.stderr.write(`Unknown option ${unknown}; tools/gen/run.ts knows only --check.\n`);
  process.exit(2);
}
const check = args.includes('--check');
const differences = [
  ...(await generate(root, targets, check)),
  ...(await generateSchemas(root, check)),
  ...(await generateVhostUserPage(root, check)),
];
for (const { file, how } of differences) {
  process.stdout.write(check ? `${file} is ${how}; run \`npm run gen\`\n` : `${file} was ${how}\n`);
}
process.exitCode = check && differences.length > 0 ? 1 : 0;

import { serveBurstPlugin } from '../../src/index.ts';
import { crossing } from './crossing.ts';

await serveBurstPlugin(crossing);

// More and more, step by step: where does it bend?
import { load } from './lib/load.js';

export { setup, shop as default } from './lib/shop.js';
export const options = load('stress');

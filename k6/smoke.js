// Does it work at all, with hardly any load?
import { load } from './lib/load.js';

export { setup, shop as default } from './lib/shop.js';
export const options = load('smoke');

// Everything customers do: also cards that are declined and orders sent twice.
import { load } from './lib/load.js';

export { setup, shop as default } from './lib/shop.js';
export const options = load('mixed');

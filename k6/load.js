// An ordinary busy day: up, steady, down.
import { load } from './lib/load.js';

export { setup, shop as default } from './lib/shop.js';
export const options = load('load');

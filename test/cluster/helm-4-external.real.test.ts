import { wholeWay } from './whole-way.ts';

wholeWay({ helm: '4', database: 'external' });

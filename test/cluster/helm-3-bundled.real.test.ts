import { wholeWay } from './whole-way.ts';

wholeWay({ helm: '3', database: 'bundled' });

import { supplyEvents } from '@/kit/lib/events.ts';

supplyEvents(() => import('./shared-stream.ts'));

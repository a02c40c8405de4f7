import { QueryClient } from '@tanstack/react-query';
import { UnreachableError } from './api.ts';

/**
 * The cache of what the server said. A read that found no server is tried again; as soon as the connection is known
 * to be lost (`connection.ts`), reads and writes wait, and go on by themselves when it is back. `Retry-After` is honoured in `api.ts`.
 */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => error instanceof UnreachableError && failures < 3,
      retryDelay: 500,
    },
    mutations: { retry: false },
  },
});

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import type { ComponentType } from 'react';
import { UnreachableError } from './api.ts';

/**
 * The cache of what the server said. A read that found no server is tried again; as soon as the connection is known
 * to be lost (`connection.ts`), reads and writes wait, and go on by themselves when it is back. `Retry-After` is honoured in `api.ts`.
 */
const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => error instanceof UnreachableError && failures < 3,
      retryDelay: 500,
    },
    mutations: { retry: false },
  },
});

// For as long as the page lives, so that a write that waits for the server goes on although its screen was left.
queryClient.mount();

/**
 * Gives a screen, and all below it, the cache. Wrapped around the screens that need it instead of the whole client,
 * because it weighs 10 KB and the home screen works without.
 */
export function withServerData(Screen: ComponentType): ComponentType {
  // Named as a component is: without, a hot update reloads the page instead.
  return function WithServerData() {
    return (
      <QueryClientProvider client={queryClient}>
        <Screen />
      </QueryClientProvider>
    );
  };
}

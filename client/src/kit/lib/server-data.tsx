import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import type { ComponentType } from 'react';
import { UnreachableError } from './api.ts';

/**
 * The query cache. Reads that do not reach the server are retried; once the connection is known to be lost
 * (`connection.ts`), reads and writes pause and resume when it is back. `api.ts` honours `Retry-After`.
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

// For the page's lifetime, so that a paused write resumes even if its screen was left.
queryClient.mount();

/**
 * Provides the query cache to a screen. Only screens that need it are wrapped, because it weighs 10 KB and the home
 * screen works without it.
 */
export function withServerData(Screen: ComponentType): ComponentType {
  // Named like a component, so that hot reload keeps the page.
  return function WithServerData() {
    return (
      <QueryClientProvider client={queryClient}>
        <Screen />
      </QueryClientProvider>
    );
  };
}

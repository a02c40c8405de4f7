import './theme.css';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { watchServer } from './kit/lib/connection.ts';
import './modules/realtime/supply.ts';
import { router } from './router.tsx';

watchServer();

const container = document.getElementById('root');
if (!container) throw new Error('index.html has no element with the id "root" to mount the client in.');

// Replaces the prerendered shell with the same shell, once the first screen's code has loaded.
await router.load();
createRoot(container).render(
  <StrictMode>
    <RouterProvider router={router} />
  </StrictMode>,
);

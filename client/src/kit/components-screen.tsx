import { useLocation, useNavigate } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { ScreenHeading } from './components/screen-heading.tsx';
import { Tabs, TabsContent, TabsList, TabsTrigger } from './components/tabs.tsx';
import { Actions } from './samples/actions.tsx';
import actions from './samples/actions.tsx?raw';
import { Charts } from './samples/charts.tsx';
import charts from './samples/charts.tsx?raw';
import { Data } from './samples/data.tsx';
import data from './samples/data.tsx?raw';
import { Feedback } from './samples/feedback.tsx';
import feedback from './samples/feedback.tsx?raw';
import { Forms } from './samples/forms.tsx';
import forms from './samples/forms.tsx?raw';
import { Overlays } from './samples/overlays.tsx';
import overlays from './samples/overlays.tsx?raw';
import { RecordSamples } from './samples/records.tsx';
import records from './samples/records.tsx?raw';
import { Source } from './samples/sample.tsx';

const GROUPS: [name: string, samples: ComponentType, source: string][] = [
  ['Actions', Actions, actions],
  ['Forms', Forms, forms],
  ['Overlays', Overlays, overlays],
  ['Feedback', Feedback, feedback],
  ['Data', Data, data],
  ['Records', RecordSamples, records],
  ['Charts', Charts, charts],
];

/** Every part of the kit, in its states, with the code that uses it. In development and test builds only. */
export function KitScreen() {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const shown = GROUPS.some(([name]) => name === hash) ? hash : 'Actions';
  return (
    <div className="mx-auto max-w-6xl px-4 py-8 md:px-8">
      <ScreenHeading title="Kit" />
      <p className="mt-1 mb-4 max-w-prose text-muted">
        What screens are made of. Each part is one file in client/src/kit/components.
      </p>
      <Tabs value={shown} onValueChange={(hash: string) => navigate({ to: '.', hash, replace: true })}>
        <TabsList aria-label="Groups">
          {GROUPS.map(([name]) => (
            <TabsTrigger key={name} value={name}>
              {name}
            </TabsTrigger>
          ))}
        </TabsList>
        {GROUPS.map(([name, Samples, source]) => (
          <TabsContent key={name} value={name}>
            <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
              <Source value={source}>
                <Samples />
              </Source>
            </div>
          </TabsContent>
        ))}
      </Tabs>
    </div>
  );
}

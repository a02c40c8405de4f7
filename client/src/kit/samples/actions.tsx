import { useState } from 'react';
import { Breadcrumb } from '@/components/ui/breadcrumb';
import { Button, IconButton } from '@/components/ui/button';
import { CommandPalette } from '@/components/ui/command-palette';
import { CopyButton } from '@/components/ui/copy-button';
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuSeparator,
  DropdownMenuTrigger,
} from '@/components/ui/dropdown-menu';
import { Kbd } from '@/components/ui/kbd';
import { Pagination } from '@/components/ui/pagination';
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs';
import { toast } from '@/components/ui/toast';
import { UserButton } from '@/components/ui/user-button';
import { UserMenuContent } from '@/components/ui/user-menu';
import { Sample } from './sample.tsx';

export function Actions() {
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const [page, setPage] = useState(1);
  return (
    <>
      <Sample name="Button" from="button">
        <Button>Default</Button>
        <Button variant="outline">Outline</Button>
        <Button variant="secondary">Secondary</Button>
        <Button variant="ghost">Ghost</Button>
        <Button variant="destructive" icon="trash">
          Destructive
        </Button>
        <Button variant="link">Link</Button>
        <Button size="sm">Small</Button>
        <Button size="lg">Large</Button>
        <Button disabled>Disabled</Button>
        <Button pending>Saving</Button>
        <IconButton icon="plus" label="Add" />
      </Sample>
      <Sample name="Dropdown menu" from="dropdown-menu">
        <DropdownMenu>
          <DropdownMenuTrigger render={<Button variant="outline" />}>Actions</DropdownMenuTrigger>
          <DropdownMenuContent>
            <DropdownMenuItem onClick={() => toast('Renamed')}>Rename</DropdownMenuItem>
            <DropdownMenuItem disabled>Move</DropdownMenuItem>
            <DropdownMenuSeparator />
            <DropdownMenuItem icon="trash" variant="destructive" onClick={() => toast('Deleted')}>
              Delete
            </DropdownMenuItem>
          </DropdownMenuContent>
        </DropdownMenu>
      </Sample>
      <Sample name="User menu" from="user-menu">
        <div className="w-52">
          <DropdownMenu>
            <DropdownMenuTrigger render={<UserButton name="Ada Lovelace" />} />
            <UserMenuContent
              name="Ada Lovelace"
              email="ada@example.com"
              onSignOut={() => toast('Signed out')}
            >
              <DropdownMenuItem icon="user">Account</DropdownMenuItem>
            </UserMenuContent>
          </DropdownMenu>
        </div>
      </Sample>
      <Sample name="Tabs" from="tabs">
        <Tabs defaultValue="requests" className="w-full">
          <TabsList aria-label="Views">
            <TabsTrigger value="requests">Requests</TabsTrigger>
            <TabsTrigger value="errors">Errors</TabsTrigger>
            <TabsTrigger value="archive" disabled>
              Archive
            </TabsTrigger>
          </TabsList>
          <TabsContent value="requests">Requests a second, by route.</TabsContent>
          <TabsContent value="errors">Errors, by kind.</TabsContent>
        </Tabs>
      </Sample>
      <Sample name="Breadcrumb" from="breadcrumb">
        <Breadcrumb
          items={[{ label: 'Home', to: '/' }, { label: 'Notes', to: '/notes' }, { label: 'Plan' }]}
        />
      </Sample>
      <Sample name="Pagination" from="pagination">
        <div className="w-full">
          <Pagination
            onPrevious={page > 1 ? () => setPage(page - 1) : undefined}
            onNext={page < 3 ? () => setPage(page + 1) : undefined}
          >
            Page {page} of notes
          </Pagination>
        </div>
      </Sample>
      <Sample name="Command palette" from="command-palette">
        <Button variant="outline" onClick={() => setPaletteOpen(true)}>
          Open palette
        </Button>
        <Kbd>Ctrl K</Kbd>
        {isPaletteOpen && (
          <CommandPalette
            onClose={() => setPaletteOpen(false)}
            commands={['Home', 'Notes', 'Operations'].map((label) => ({
              label,
              group: 'Go to',
              run: () => toast(label),
            }))}
          />
        )}
      </Sample>
      <Sample name="Copy button" from="copy-button">
        <code className="font-mono text-sm">npm start</code>
        <CopyButton text="npm start" label="Copy the command" />
      </Sample>
    </>
  );
}

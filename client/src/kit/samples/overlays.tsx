import { Confirm } from '@/components/ui/alert-dialog';
import { Button, IconButton } from '@/components/ui/button';
import { DescriptionList } from '@/components/ui/description-list';
import { Dialog, DialogClose, DialogContent, DialogFooter, DialogTrigger } from '@/components/ui/dialog';
import { Field } from '@/components/ui/field';
import { Popover, PopoverContent, PopoverTrigger } from '@/components/ui/popover';
import { Select, SelectContent, SelectItem, SelectTrigger, SelectValue } from '@/components/ui/select';
import { Sheet, SheetContent, SheetTrigger } from '@/components/ui/sheet';
import { toast } from '@/components/ui/toast';
import { Tooltip } from '@/components/ui/tooltip';
import { Sample } from './sample.tsx';

const AUDIENCES = [
  { value: 'team', label: 'The team' },
  { value: 'everyone', label: 'Everyone' },
];

export const Overlays = () => (
  <>
    <Sample name="Dialog" from="dialog">
      <Dialog>
        <DialogTrigger render={<Button variant="outline" />}>Rename project</DialogTrigger>
        <DialogContent title="Rename project" description="Links to it keep working.">
          <div className="space-y-4">
            <Field label="Name" defaultValue="Flightline" />
            <Field label="Visible to">
              <Select items={AUDIENCES} defaultValue="team">
                <SelectTrigger>
                  <SelectValue />
                </SelectTrigger>
                <SelectContent>
                  {AUDIENCES.map(({ value, label }) => (
                    <SelectItem key={value} value={value}>
                      {label}
                    </SelectItem>
                  ))}
                </SelectContent>
              </Select>
            </Field>
          </div>
          <DialogFooter>
            <DialogClose render={<Button variant="outline" />}>Cancel</DialogClose>
            <DialogClose render={<Button />}>Rename</DialogClose>
          </DialogFooter>
        </DialogContent>
      </Dialog>
    </Sample>
    <Sample name="Confirm" from="alert-dialog">
      <Confirm
        trigger={<Button variant="outline">Revoke key</Button>}
        title="Revoke this key?"
        action="Revoke key"
        onConfirm={() => toast('Key revoked')}
      >
        Programs that use it are refused from now on.
      </Confirm>
      <Confirm
        trigger={<Button variant="destructive">Delete project</Button>}
        title="Delete this project?"
        action="Delete project"
        typed="flightline"
        onConfirm={() => Promise.reject(new Error('The project has an unpaid invoice.'))}
      >
        Its 1,284 notes and 12 members' access are deleted with it. This cannot be undone.
      </Confirm>
    </Sample>
    <Sample name="Sheet" from="sheet">
      <Sheet>
        <SheetTrigger render={<Button variant="outline" />}>Show details</SheetTrigger>
        <SheetContent title="Request">
          <DescriptionList
            items={[
              ['Route', 'GET /api/notes'],
              ['Status', '200'],
              ['Duration', '4.2 ms'],
            ]}
          />
        </SheetContent>
      </Sheet>
    </Sample>
    <Sample name="Popover" from="popover">
      <Popover>
        <PopoverTrigger render={<Button variant="outline" />}>Share</PopoverTrigger>
        <PopoverContent title="Share this note">
          <Field label="Email" type="email" />
        </PopoverContent>
      </Popover>
    </Sample>
    <Sample name="Tooltip" from="tooltip">
      <Tooltip content="Figures of the last 15 minutes">
        <IconButton icon="info" label="About these figures" title={undefined} />
      </Tooltip>
    </Sample>
    <Sample name="Toast" from="toast">
      <Button
        variant="outline"
        onClick={() =>
          toast('Deleted “Plan”', {
            action: { label: 'Undo', onClick: () => toast.success('Restored “Plan”') },
          })
        }
      >
        With an action
      </Button>
      <Button variant="outline" onClick={() => toast.success('Saved')}>
        Success
      </Button>
      <Button variant="outline" onClick={() => toast.warning('The session ends in 5 minutes')}>
        Warning
      </Button>
      <Button
        variant="outline"
        onClick={() => toast.error('Not sent', { description: 'The server cannot be reached.' })}
      >
        Error
      </Button>
    </Sample>
  </>
);

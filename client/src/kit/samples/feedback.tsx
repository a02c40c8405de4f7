import { Alert, Banner } from '@/components/ui/alert';
import { Badge } from '@/components/ui/badge';
import { Button } from '@/components/ui/button';
import { Empty } from '@/components/ui/empty';
import { ErrorNote, ErrorState } from '@/components/ui/error-state';
import { NotPermitted } from '@/components/ui/not-permitted';
import { Progress } from '@/components/ui/progress';
import { Skeleton, SkeletonRows } from '@/components/ui/skeleton';
import { StateBadge } from '@/components/ui/state-badge';
import { ApiError } from '@/kit/lib/api.ts';
import { Sample } from './sample.tsx';

const UNREACHABLE = new ApiError({
  type: '/problems/unavailable',
  title: 'The database is unreachable',
  status: 503,
  detail: 'Trying again in 3 s.',
  instance: '/api/notes',
  requestId: '4f1c0d2e9a7b4c55',
});

export const Feedback = () => (
  <>
    <Sample name="Alert" from="alert">
      <Alert title="Backups run at night">The last one finished at 03:12.</Alert>
      <Alert variant="success" title="Your email is confirmed" />
      <Alert
        variant="warning"
        title="Two-factor sign-in is off"
        action={
          <Button variant="outline" size="sm">
            Set it up
          </Button>
        }
      />
      <Alert variant="destructive" title="The payment failed">
        The card was declined by its bank.
      </Alert>
    </Sample>
    <Sample name="Banner" from="alert">
      <Banner action={<Button size="sm">Reload</Button>}>A new version is ready.</Banner>
      <Banner variant="destructive">The server cannot be reached. Trying again in 3 s.</Banner>
    </Sample>
    <Sample name="Badge" from="badge">
      <Badge>New</Badge>
      <Badge variant="secondary">12</Badge>
      <Badge variant="outline">Draft</Badge>
      <Badge variant="success">Paid</Badge>
      <Badge variant="warning">Due</Badge>
      <Badge variant="destructive">Failed</Badge>
    </Sample>
    <Sample name="State" from="state-badge">
      <StateBadge state="ready">Ready</StateBadge>
      <StateBadge state="degraded">Degraded</StateBadge>
      <StateBadge state="failing">Failing</StateBadge>
      <StateBadge state="draining">Draining</StateBadge>
      <StateBadge state="waiting">Waiting</StateBadge>
    </Sample>
    <Sample name="Progress" from="progress">
      <Progress label="Uploading report.pdf" value={64} />
      <Progress label="Importing" value={null} />
    </Sample>
    <Sample name="Skeleton" from="skeleton">
      <div className="w-full space-y-3">
        <Skeleton className="h-5 w-1/2" />
        <Skeleton />
        <SkeletonRows rows={2} />
      </div>
    </Sample>
    <Sample name="Empty" from="empty">
      <div className="w-full">
        <Empty icon="note" title="No notes yet">
          <p>Says what this place is for, and offers the first step.</p>
          <Button>Write the first note</Button>
        </Empty>
      </div>
    </Sample>
    <Sample name="Error" from="error-state">
      <ErrorState error={UNREACHABLE} onRetry={() => {}} />
      <ErrorNote error={UNREACHABLE} />
    </Sample>
    <Sample name="Not permitted" from="not-permitted">
      <NotPermitted detail="Invoices are for owners of this organisation. Ask one of them to change your role.">
        <Button variant="outline">Go back</Button>
      </NotPermitted>
    </Sample>
  </>
);

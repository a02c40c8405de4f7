/** Makes the table in which each run of a job leaves what it has done. */
export const MARKS =
  'create table marks (n int not null, what text not null, pid int not null, at timestamptz not null default clock_timestamp())';

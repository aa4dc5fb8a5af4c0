import { statement } from '../../db/statement.ts';

export const ticketsByStatus = statement<{ status: string; count: number }>(
  'tickets_by_status',
  `select status, count(*) as count from tickets where tenant_id = $1 and spec_id = $2 and type <> 'epic' group by status`,
);

DROP INDEX "notes_live";--> statement-breakpoint
ALTER TABLE "notes" ADD COLUMN "owner_id" text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX "notes_own" ON "notes" USING btree ("owner_id","id") WHERE deleted_at is null;
CREATE INDEX "notes_own_words" ON "notes" USING gin (("words" || array_to_tsvector(array['@' || "owner_id"])));--> statement-breakpoint
DROP INDEX "notes_words";
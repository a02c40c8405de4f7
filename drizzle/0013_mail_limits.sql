CREATE TABLE "mail_limits" (
	"recipient" text NOT NULL,
	"template" text NOT NULL,
	"written" timestamp with time zone[] NOT NULL,
	CONSTRAINT "mail_limits_recipient_template_pk" PRIMARY KEY("recipient","template")
);

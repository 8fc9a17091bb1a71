-- The schema all migrations add up to. Generated: python -m simyard.db.migrate --write-schema

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE public.account (
    id bigint NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    password_hash text,
    created_at timestamp with time zone NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    email_verified_at timestamp with time zone,
    CONSTRAINT account_email_check CHECK (((email = lower(email)) AND ((length(email) >= 3) AND (length(email) <= 254)))),
    CONSTRAINT account_erased_is_nobody CHECK (((state <> 'erased'::text) OR ((email = ('erased-'::text || id)) AND (name = ''::text) AND (password_hash IS NULL) AND (email_verified_at IS NULL)))),
    CONSTRAINT account_name_check CHECK ((length(name) <= 200)),
    CONSTRAINT account_role_check CHECK ((role = ANY (ARRAY['buyer'::text, 'supplier'::text, 'operator'::text]))),
    CONSTRAINT account_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text, 'locked'::text, 'erased'::text])))
);

ALTER TABLE public.account ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE public.lease_id
    AS integer
    START WITH 10000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.activation (
    id bigint DEFAULT nextval('public.lease_id'::regclass) NOT NULL,
    account_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    number_id bigint,
    msisdn text,
    country text NOT NULL,
    service_id smallint NOT NULL,
    service_label text NOT NULL,
    country_label text NOT NULL,
    state text NOT NULL,
    is_open boolean GENERATED ALWAYS AS ((state = ANY (ARRAY['acquiring'::text, 'waiting'::text, 'received'::text, 'waiting_again'::text]))) STORED NOT NULL,
    repeatable boolean DEFAULT false NOT NULL,
    price bigint NOT NULL,
    currency text NOT NULL,
    margin bigint NOT NULL,
    earning bigint NOT NULL,
    earning_currency text NOT NULL,
    supplier_id bigint,
    code text,
    messages integer DEFAULT 0 NOT NULL,
    ordered_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone,
    closed_at timestamp with time zone,
    coded boolean DEFAULT false NOT NULL,
    remote boolean DEFAULT false NOT NULL,
    CONSTRAINT activation_check CHECK (((margin >= 0) AND (margin <= price))),
    CONSTRAINT activation_check1 CHECK (((number_id IS NULL) = (msisdn IS NULL))),
    CONSTRAINT activation_check2 CHECK (((number_id IS NOT NULL) OR (state = ANY (ARRAY['acquiring'::text, 'failed'::text])))),
    CONSTRAINT activation_check3 CHECK (((received_at IS NOT NULL) = (messages > 0))),
    CONSTRAINT activation_check4 CHECK (((state <> ALL (ARRAY['canceled'::text, 'expired'::text, 'failed'::text])) OR (messages = 0))),
    CONSTRAINT activation_check5 CHECK (((supplier_id IS NOT NULL) OR (earning = 0))),
    CONSTRAINT activation_coded_by_a_message CHECK (((NOT coded) OR (messages > 0))),
    CONSTRAINT activation_country_label_check CHECK ((length(country_label) <= 200)),
    CONSTRAINT activation_earning_check CHECK ((earning >= 0)),
    CONSTRAINT activation_price_check CHECK ((price >= 0)),
    CONSTRAINT activation_service_label_check CHECK ((length(service_label) <= 200)),
    CONSTRAINT activation_state_check CHECK ((state = ANY (ARRAY['acquiring'::text, 'waiting'::text, 'received'::text, 'waiting_again'::text, 'failed'::text, 'canceled'::text, 'expired'::text, 'finished'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.api_key (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    digest bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    networks cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    pool_id bigint,
    CONSTRAINT api_key_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT api_key_scopes_check CHECK ((scopes <@ ARRAY['read'::text, 'order'::text, 'supply'::text]))
);

ALTER TABLE public.api_key ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    facts jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE public.budget (
    account_id bigint NOT NULL,
    verb text NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    quota integer NOT NULL,
    used integer NOT NULL,
    granted integer NOT NULL,
    CONSTRAINT budget_check CHECK (((used >= 0) AND (used <= quota))),
    CONSTRAINT budget_granted_check CHECK ((granted >= 0)),
    CONSTRAINT budget_quota_check CHECK ((quota > 0))
)
WITH (fillfactor='50');

CREATE TABLE public.claim_cursor (
    pool_id bigint NOT NULL,
    country text NOT NULL,
    operator_id integer NOT NULL,
    service_id smallint NOT NULL,
    "position" bigint NOT NULL,
    number_id bigint NOT NULL
);

CREATE TABLE public.country (
    iso2 text NOT NULL,
    name text NOT NULL,
    calling_code integer NOT NULL,
    CONSTRAINT country_calling_code_check CHECK (((calling_code >= 1) AND (calling_code <= 9999))),
    CONSTRAINT country_iso2_check CHECK ((iso2 ~ '^[A-Z]{2}$'::text))
);

CREATE TABLE public.deposit (
    id bigint NOT NULL,
    provider text NOT NULL,
    reference text NOT NULL,
    state text DEFAULT 'seen'::text NOT NULL,
    reason text,
    virtual_account_id bigint,
    currency text,
    amount bigint,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    problem text,
    seen_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT deposit_check CHECK (((state = 'seen'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT deposit_check1 CHECK (((state = 'seen'::text) = (closed_at IS NULL))),
    CONSTRAINT deposit_check2 CHECK (((state = 'refused'::text) = (reason IS NOT NULL))),
    CONSTRAINT deposit_check3 CHECK (((state <> 'credited'::text) OR ((virtual_account_id IS NOT NULL) AND (currency IS NOT NULL) AND (amount > 0)))),
    CONSTRAINT deposit_problem_check CHECK ((length(problem) <= 200)),
    CONSTRAINT deposit_reason_check CHECK ((length(reason) <= 200)),
    CONSTRAINT deposit_reference_check CHECK (((length(reference) >= 1) AND (length(reference) <= 100))),
    CONSTRAINT deposit_state_check CHECK ((state = ANY (ARRAY['seen'::text, 'credited'::text, 'refused'::text])))
);

ALTER TABLE public.deposit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.deposit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.earning (
    id bigint NOT NULL,
    lease_id bigint NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    state text NOT NULL,
    earned_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    CONSTRAINT earning_amount_check CHECK ((amount > 0)),
    CONSTRAINT earning_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'available'::text, 'reversed'::text])))
)
WITH (fillfactor='80');

ALTER TABLE public.earning ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.earning_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.transfer (
    id bigint NOT NULL,
    reference text NOT NULL,
    kind text NOT NULL,
    debit_id bigint NOT NULL,
    credit_id bigint NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT transfer_amount_check CHECK ((amount > 0)),
    CONSTRAINT transfer_check CHECK ((debit_id <> credit_id)),
    CONSTRAINT transfer_kind_check CHECK ((kind = ANY (ARRAY['deposit'::text, 'payment'::text, 'hold'::text, 'release'::text, 'capture'::text, 'earning'::text, 'margin'::text, 'exchange'::text, 'referral'::text, 'cashback'::text, 'mature'::text, 'payout'::text, 'refund'::text, 'reversal'::text, 'referral_reversal'::text, 'repayment'::text])))
);

CREATE VIEW public.entry AS
 SELECT transfer.id AS transfer_id,
    transfer.debit_id AS ledger_account_id,
    transfer.currency,
    (- transfer.amount) AS amount
   FROM public.transfer
UNION ALL
 SELECT transfer.id AS transfer_id,
    transfer.credit_id AS ledger_account_id,
    transfer.currency,
    transfer.amount
   FROM public.transfer;

CREATE TABLE public.exchange_rate (
    currency text NOT NULL,
    rate_nanos bigint NOT NULL,
    set_at timestamp with time zone NOT NULL,
    CONSTRAINT exchange_rate_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT exchange_rate_rate_nanos_check CHECK ((rate_nanos > 0))
);

CREATE TABLE public.gateway (
    id bigint NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    pool_id bigint NOT NULL,
    token_digest bytea NOT NULL,
    secret text,
    networks text[] DEFAULT '{}'::text[] NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    country text,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    stocks boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    CONSTRAINT gateway_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT gateway_secret_check CHECK ((secret <> ''::text))
);

CREATE TABLE public.gateway_device (
    gateway_id bigint NOT NULL,
    device text NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT gateway_device_device_check CHECK ((length(device) <= 100))
);

ALTER TABLE public.gateway ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.gateway_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.gateway_outcome (
    gateway_id bigint NOT NULL,
    day date NOT NULL,
    outcome text NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE public.gateway_seen (
    gateway_id bigint NOT NULL,
    digest bytea NOT NULL,
    sent_at timestamp with time zone,
    seen_at timestamp with time zone NOT NULL
);

CREATE TABLE public.gateway_sim (
    gateway_id bigint NOT NULL,
    key text NOT NULL,
    msisdn text NOT NULL,
    learnt boolean NOT NULL,
    set_at timestamp with time zone NOT NULL,
    contradicted text,
    CONSTRAINT gateway_sim_key_check CHECK (((length(key) >= 1) AND (length(key) <= 200)))
);

CREATE TABLE public.gateway_unmatched (
    gateway_id bigint NOT NULL,
    key text NOT NULL,
    count bigint NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT gateway_unmatched_key_check CHECK ((length(key) <= 200))
);

CREATE TABLE public.idempotency (
    account_id bigint NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    lease_id bigint,
    outcome bytea,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);

CREATE TABLE public.identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    account_id bigint NOT NULL,
    linked_at timestamp with time zone NOT NULL
);

CREATE TABLE public.late_message (
    id bigint NOT NULL,
    lease_id bigint NOT NULL,
    number_id bigint NOT NULL,
    sender text NOT NULL,
    body text NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL
);

ALTER TABLE public.late_message ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.late_message_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.ledger_account (
    id bigint NOT NULL,
    kind text NOT NULL,
    account_id bigint,
    currency text NOT NULL,
    CONSTRAINT ledger_account_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT ledger_account_kind_check CHECK ((kind = ANY (ARRAY['available'::text, 'held'::text, 'pending'::text, 'debt'::text, 'revenue'::text, 'clearing'::text, 'bank'::text, 'escrow'::text]))),
    CONSTRAINT ledger_account_of_an_account CHECK (((kind = ANY (ARRAY['available'::text, 'held'::text, 'pending'::text, 'debt'::text])) = (account_id IS NOT NULL)))
);

ALTER TABLE public.ledger_account ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.login_count (
    subject bytea NOT NULL,
    count integer NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    CONSTRAINT login_count_count_check CHECK ((count > 0)),
    CONSTRAINT login_count_subject_check CHECK ((length(subject) = 32))
)
WITH (fillfactor='50');

CREATE TABLE public.mail (
    id bigint NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    body text,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT mail_check CHECK (((state = 'pending'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT mail_check1 CHECK (((state = 'pending'::text) = (body IS NOT NULL))),
    CONSTRAINT mail_check2 CHECK (((state = 'pending'::text) = (closed_at IS NULL))),
    CONSTRAINT mail_recipient_check CHECK (((length(recipient) >= 3) AND (length(recipient) <= 254))),
    CONSTRAINT mail_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text]))),
    CONSTRAINT mail_subject_check CHECK ((length(subject) <= 200))
);

ALTER TABLE public.mail ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.mail_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.mailed_token (
    digest bytea NOT NULL,
    account_id bigint NOT NULL,
    purpose text NOT NULL,
    password_hash text,
    name text,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT mailed_token_check CHECK (((purpose = 'verify_email'::text) = (password_hash IS NOT NULL))),
    CONSTRAINT mailed_token_check1 CHECK (((purpose = 'verify_email'::text) = (name IS NOT NULL))),
    CONSTRAINT mailed_token_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT mailed_token_purpose_check CHECK ((purpose = ANY (ARRAY['verify_email'::text, 'reset_password'::text])))
);

CREATE TABLE public.message (
    id bigint NOT NULL,
    activation_id bigint,
    sender text NOT NULL,
    body text,
    code text,
    sent_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    rental_id bigint,
    dismissed boolean DEFAULT false NOT NULL,
    CONSTRAINT message_of_one_lease CHECK ((num_nonnulls(activation_id, rental_id) = 1))
);

CREATE TABLE public.message_dropped (
    pool_id bigint NOT NULL,
    day date NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL
);

ALTER TABLE public.message ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.message_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.message_seen (
    lease_id bigint CONSTRAINT message_seen_activation_id_not_null NOT NULL,
    digest bytea NOT NULL,
    sent_at timestamp with time zone,
    seen_at timestamp with time zone NOT NULL,
    number_id bigint
);

CREATE TABLE public.misuse (
    account_id bigint NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE public.mobile_operator (
    id integer NOT NULL,
    plmn text NOT NULL,
    country text NOT NULL,
    name text NOT NULL,
    CONSTRAINT mobile_operator_plmn_check CHECK ((plmn ~ '^[0-9]{5,6}$'::text))
);

CREATE TABLE public.number (
    id bigint NOT NULL,
    msisdn text NOT NULL,
    pool_id bigint NOT NULL,
    country text NOT NULL,
    operator_id integer,
    port text NOT NULL,
    placed_at timestamp with time zone,
    rent boolean DEFAULT false NOT NULL,
    listed boolean NOT NULL,
    blocked boolean DEFAULT false NOT NULL,
    lease_id bigint,
    "position" bigint NOT NULL,
    published_at timestamp with time zone,
    available boolean GENERATED ALWAYS AS ((listed AND (NOT blocked) AND (lease_id IS NULL) AND (published_at IS NULL))) STORED NOT NULL,
    proved_at timestamp with time zone,
    proved_for bigint,
    rent_strikes smallint DEFAULT 0 NOT NULL,
    rent_banned_until timestamp with time zone,
    last_lease_id bigint,
    CONSTRAINT number_is_proved_for_a_pool CHECK (((proved_at IS NULL) = (proved_for IS NULL))),
    CONSTRAINT number_is_public_or_leased CHECK (((published_at IS NULL) OR (lease_id IS NULL))),
    CONSTRAINT number_msisdn_check CHECK ((msisdn ~ '^\+[1-9][0-9]{5,14}$'::text)),
    CONSTRAINT number_port_check CHECK ((length(port) <= 100)),
    CONSTRAINT number_third_strike_is_a_ban CHECK (((rent_strikes >= 0) AND (rent_strikes <= 2)))
)
WITH (fillfactor='80');

CREATE TABLE public.number_ban (
    account_id bigint NOT NULL,
    number_id bigint NOT NULL,
    country text NOT NULL,
    msisdn text NOT NULL,
    banned_at timestamp with time zone NOT NULL
);

CREATE TABLE public.number_check (
    id bigint NOT NULL,
    number_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    challenge text NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    proved_at timestamp with time zone,
    closed_at timestamp with time zone,
    CONSTRAINT number_check_check CHECK (((state = 'proved'::text) = (proved_at IS NOT NULL))),
    CONSTRAINT number_check_check1 CHECK (((state <> 'expired'::text) OR (closed_at IS NOT NULL))),
    CONSTRAINT number_check_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'proved'::text, 'expired'::text])))
);

ALTER TABLE public.number ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.number_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.payout (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    amount bigint NOT NULL,
    method text NOT NULL,
    state text DEFAULT 'requested'::text NOT NULL,
    note text,
    requested_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT payout_amount_check CHECK ((amount > 0)),
    CONSTRAINT payout_check CHECK (((state = 'requested'::text) = (closed_at IS NULL))),
    CONSTRAINT payout_method_check CHECK (((method <> ''::text) AND (length(method) <= 500))),
    CONSTRAINT payout_note_check CHECK ((length(note) <= 500)),
    CONSTRAINT payout_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'paid'::text, 'rejected'::text])))
);

ALTER TABLE public.payout ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.payout_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.pool (
    id bigint NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    supplier_id bigint,
    enabled boolean DEFAULT true NOT NULL,
    reserved_for smallint,
    share_basis_points integer NOT NULL,
    rent_allowed boolean DEFAULT false NOT NULL,
    online_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    consent text,
    consented_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    filter_side text DEFAULT 'ours'::text NOT NULL,
    CONSTRAINT pool_check CHECK (((consent IS NULL) = (consented_at IS NULL))),
    CONSTRAINT pool_consent_check CHECK ((consent <> ''::text)),
    CONSTRAINT pool_direct_has_supplier CHECK (((kind <> 'direct'::text) OR (supplier_id IS NOT NULL) OR (NOT enabled))),
    CONSTRAINT pool_filter_side_check CHECK ((filter_side = ANY (ARRAY['ours'::text, 'partner'::text]))),
    CONSTRAINT pool_kind_check CHECK ((kind = ANY (ARRAY['direct'::text, 'partner'::text, 'upstream'::text, 'sandbox'::text]))),
    CONSTRAINT pool_name_check CHECK ((name <> ''::text)),
    CONSTRAINT pool_share_basis_points_check CHECK (((share_basis_points >= 0) AND (share_basis_points <= 10000)))
);

CREATE TABLE public.pool_blacklist (
    pool_id bigint NOT NULL,
    service_id smallint NOT NULL,
    set_at timestamp with time zone NOT NULL
);

ALTER TABLE public.pool ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.pool_id_seq
    START WITH 3001
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.pool_standing (
    pool_id bigint NOT NULL,
    country text NOT NULL,
    service_id smallint NOT NULL,
    blocked_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    poor_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
);

CREATE TABLE public.price (
    service_id smallint NOT NULL,
    country text NOT NULL,
    pool_id bigint,
    amount bigint NOT NULL,
    set_at timestamp with time zone NOT NULL,
    CONSTRAINT price_amount_check CHECK ((amount >= 0))
);

CREATE TABLE public.public_message (
    id bigint NOT NULL,
    number_id bigint NOT NULL,
    sender text NOT NULL,
    body text NOT NULL,
    digest bytea,
    sent_at timestamp with time zone,
    received_at timestamp with time zone NOT NULL
);

ALTER TABLE public.public_message ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.public_message_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.quality (
    pool_id bigint NOT NULL,
    country text NOT NULL,
    service_id smallint NOT NULL,
    day date NOT NULL,
    issued bigint NOT NULL,
    delivered bigint NOT NULL,
    canceled bigint NOT NULL,
    expired bigint NOT NULL,
    failed bigint NOT NULL,
    prohibited bigint NOT NULL,
    other_service bigint NOT NULL,
    unrecognised bigint NOT NULL,
    blacklisted bigint NOT NULL,
    seconds bigint NOT NULL,
    spans bigint[] NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE public.quality_event (
    id bigint NOT NULL,
    activation_id bigint NOT NULL,
    kind text NOT NULL,
    CONSTRAINT quality_event_kind_check CHECK ((kind = ANY (ARRAY['closed'::text, 'prohibited'::text, 'other_service'::text, 'unrecognised'::text, 'blacklisted'::text])))
);

ALTER TABLE public.quality_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.quality_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.referral (
    referred_id bigint NOT NULL,
    referrer_id bigint NOT NULL,
    share_basis_points integer NOT NULL,
    base_currency text NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT referral_base_currency_check CHECK ((base_currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT referral_by_another CHECK ((referred_id <> referrer_id)),
    CONSTRAINT referral_share_basis_points_check CHECK (((share_basis_points >= 0) AND (share_basis_points <= 10000)))
);

CREATE TABLE public.refresh_token (
    digest bytea NOT NULL,
    session_id bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT refresh_token_digest_check CHECK ((length(digest) = 32))
);

CREATE TABLE public.refund (
    activation_id bigint NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    refunded_at timestamp with time zone NOT NULL,
    CONSTRAINT refund_amount_check CHECK ((amount >= 0)),
    CONSTRAINT refund_reason_check CHECK (((reason <> ''::text) AND (length(reason) <= 500)))
);

CREATE TABLE public.remote_lease (
    id bigint NOT NULL,
    lease_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    state text NOT NULL,
    wish bytea NOT NULL,
    remote_id text,
    msisdn text,
    cost bigint,
    amount bigint NOT NULL,
    currency text NOT NULL,
    ending text,
    next_wanted boolean DEFAULT false NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    problem text,
    choosy boolean DEFAULT false NOT NULL,
    CONSTRAINT remote_lease_check CHECK (((remote_id IS NULL) = (msisdn IS NULL))),
    CONSTRAINT remote_lease_check1 CHECK (((remote_id IS NOT NULL) OR (state = ANY (ARRAY['asking'::text, 'ambiguous'::text, 'done'::text])))),
    CONSTRAINT remote_lease_check2 CHECK (((ending IS NOT NULL) OR (state <> 'finishing'::text))),
    CONSTRAINT remote_lease_ending_check CHECK ((ending = ANY (ARRAY['sold'::text, 'canceled'::text, 'not_for_service'::text, 'refunded'::text]))),
    CONSTRAINT remote_lease_problem_check CHECK ((length(problem) <= 200)),
    CONSTRAINT remote_lease_remote_id_check CHECK (((remote_id <> ''::text) AND (length(remote_id) <= 200))),
    CONSTRAINT remote_lease_state_check CHECK ((state = ANY (ARRAY['asking'::text, 'held'::text, 'ambiguous'::text, 'finishing'::text, 'done'::text])))
)
WITH (fillfactor='80');

ALTER TABLE public.remote_lease ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.remote_lease_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.remote_offer (
    pool_id bigint NOT NULL,
    country_name text NOT NULL,
    service_name text NOT NULL,
    operator_name text NOT NULL,
    country text NOT NULL,
    service_id smallint,
    operator_id integer,
    price bigint,
    stock integer NOT NULL,
    CONSTRAINT remote_offer_country_name_check CHECK ((length(country_name) <= 100)),
    CONSTRAINT remote_offer_operator_name_check CHECK ((length(operator_name) <= 100)),
    CONSTRAINT remote_offer_price_check CHECK ((price >= 0)),
    CONSTRAINT remote_offer_service_name_check CHECK ((length(service_name) <= 100)),
    CONSTRAINT remote_offer_stock_check CHECK ((stock >= 0))
);

CREATE TABLE public.remote_profile (
    pool_id bigint NOT NULL,
    protocol text NOT NULL,
    url text NOT NULL,
    key text NOT NULL,
    key_in_digest bytea,
    switches jsonb DEFAULT '{}'::jsonb NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    stock_due_at timestamp with time zone NOT NULL,
    poll_due_at timestamp with time zone NOT NULL,
    stocked_at timestamp with time zone,
    stock_problem text,
    balance bigint,
    failures integer DEFAULT 0 NOT NULL,
    open_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    failed_at timestamp with time zone,
    failure text,
    CONSTRAINT remote_profile_failure_check CHECK ((length(failure) <= 200)),
    CONSTRAINT remote_profile_protocol_check CHECK ((protocol <> ''::text)),
    CONSTRAINT remote_profile_stock_problem_check CHECK ((length(stock_problem) <= 200)),
    CONSTRAINT remote_profile_url_check CHECK ((url <> ''::text))
);

CREATE TABLE public.remote_unknown_name (
    pool_id bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    count bigint NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT remote_unknown_name_kind_check CHECK ((kind = ANY (ARRAY['country'::text, 'service'::text, 'operator'::text]))),
    CONSTRAINT remote_unknown_name_name_check CHECK ((length(name) <= 100))
);

CREATE TABLE public.rental (
    id bigint DEFAULT nextval('public.lease_id'::regclass) NOT NULL,
    account_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    number_id bigint,
    msisdn text,
    country text NOT NULL,
    state text NOT NULL,
    auto_extend boolean NOT NULL,
    currency text NOT NULL,
    supplier_id bigint,
    earning_currency text NOT NULL,
    messages integer DEFAULT 0 NOT NULL,
    ordered_at timestamp with time zone NOT NULL,
    confirm_by timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    remote boolean DEFAULT false NOT NULL,
    is_open boolean GENERATED ALWAYS AS ((state = ANY (ARRAY['acquiring'::text, 'waiting'::text, 'active'::text]))) STORED NOT NULL,
    due_at timestamp with time zone GENERATED ALWAYS AS (
CASE state
    WHEN 'acquiring'::text THEN 'infinity'::timestamp with time zone
    WHEN 'waiting'::text THEN confirm_by
    ELSE expires_at
END) STORED NOT NULL,
    CONSTRAINT rental_acquired CHECK ((remote OR (state <> ALL (ARRAY['acquiring'::text, 'failed'::text])))),
    CONSTRAINT rental_check CHECK (((expires_at > ordered_at) AND (confirm_by > ordered_at))),
    CONSTRAINT rental_check1 CHECK (((confirmed_at IS NOT NULL) = (messages > 0))),
    CONSTRAINT rental_check2 CHECK (((state = ANY (ARRAY['active'::text, 'ended'::text])) = (confirmed_at IS NOT NULL))),
    CONSTRAINT rental_closed CHECK (((state = ANY (ARRAY['acquiring'::text, 'waiting'::text, 'active'::text])) = (closed_at IS NULL))),
    CONSTRAINT rental_has_number CHECK ((((number_id IS NULL) = (state = ANY (ARRAY['acquiring'::text, 'failed'::text]))) AND ((msisdn IS NULL) = (state = ANY (ARRAY['acquiring'::text, 'failed'::text]))))),
    CONSTRAINT rental_state_check CHECK ((state = ANY (ARRAY['acquiring'::text, 'waiting'::text, 'active'::text, 'failed'::text, 'canceled'::text, 'expired'::text, 'ended'::text])))
)
WITH (fillfactor='80');

CREATE TABLE public.rental_period (
    rental_id bigint NOT NULL,
    ordinal integer NOT NULL,
    days smallint NOT NULL,
    price bigint NOT NULL,
    margin bigint NOT NULL,
    earning bigint NOT NULL,
    automatic boolean NOT NULL,
    charged_at timestamp with time zone NOT NULL,
    CONSTRAINT rental_period_check CHECK (((margin >= 0) AND (margin <= price))),
    CONSTRAINT rental_period_days_check CHECK ((days > 0)),
    CONSTRAINT rental_period_earning_check CHECK ((earning >= 0)),
    CONSTRAINT rental_period_ordinal_check CHECK ((ordinal >= 1)),
    CONSTRAINT rental_period_price_check CHECK ((price >= 0))
);

CREATE TABLE public.rental_price (
    country text NOT NULL,
    days smallint NOT NULL,
    pool_id bigint,
    amount bigint NOT NULL,
    set_at timestamp with time zone NOT NULL,
    CONSTRAINT rental_price_amount_check CHECK ((amount >= 0)),
    CONSTRAINT rental_price_days_check CHECK (((days >= 1) AND (days <= 365)))
);

CREATE TABLE public.sandbox_message (
    lease_id bigint CONSTRAINT sandbox_message_activation_id_not_null NOT NULL,
    due_at timestamp with time zone NOT NULL
);

CREATE TABLE public.sandbox_payment (
    reference text NOT NULL,
    account_number text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    paid_at timestamp with time zone NOT NULL,
    CONSTRAINT sandbox_payment_reference_check CHECK (((length(reference) >= 1) AND (length(reference) <= 100)))
);

CREATE TABLE public.schema_migration (
    number integer NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.service (
    id smallint NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    category text NOT NULL,
    prohibited boolean NOT NULL
);

CREATE TABLE public.service_permission (
    account_id bigint NOT NULL,
    service_id smallint NOT NULL,
    proof text NOT NULL,
    granted_at timestamp with time zone NOT NULL,
    CONSTRAINT service_permission_proof_check CHECK ((proof <> ''::text))
);

CREATE TABLE public.session (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    ended_because text,
    CONSTRAINT session_check CHECK (((ended_at IS NULL) = (ended_because IS NULL))),
    CONSTRAINT session_ended_because_check CHECK ((ended_because = ANY (ARRAY['logged_out'::text, 'password_changed'::text, 'refresh_reused'::text, 'account_claimed'::text])))
);

ALTER TABLE public.session ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.shelf (
    pool_id bigint NOT NULL,
    country text NOT NULL,
    available bigint NOT NULL,
    rentable bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.shelf_used (
    pool_id bigint NOT NULL,
    country text NOT NULL,
    service_id smallint NOT NULL,
    used bigint NOT NULL
);

CREATE TABLE public.stock_change (
    id bigint NOT NULL,
    number_id bigint NOT NULL
);

ALTER TABLE public.stock_change ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.stock_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.stock_counted (
    number_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    country text NOT NULL,
    through bigint NOT NULL,
    rent boolean DEFAULT false NOT NULL
);

CREATE TABLE public.token_key (
    id bigint NOT NULL,
    value bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT token_key_value_check CHECK ((length(value) >= 32))
);

ALTER TABLE public.token_key ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.token_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.transfer ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.transfer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.virtual_account (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    public_id text NOT NULL,
    provider text NOT NULL,
    state text DEFAULT 'creating'::text NOT NULL,
    bank_code text NOT NULL,
    currency text NOT NULL,
    bank_name text,
    account_number text,
    account_name text,
    provider_id text,
    attempts integer DEFAULT 1 NOT NULL,
    in_flight boolean DEFAULT true NOT NULL,
    next_attempt_at timestamp with time zone,
    problem text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT virtual_account_check CHECK (((state = 'open'::text) = (account_number IS NOT NULL))),
    CONSTRAINT virtual_account_check1 CHECK ((num_nulls(bank_name, account_number, account_name) = ANY (ARRAY[0, 3]))),
    CONSTRAINT virtual_account_check2 CHECK (((state = 'creating'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT virtual_account_problem_check CHECK ((length(problem) <= 200)),
    CONSTRAINT virtual_account_public_id_check CHECK ((public_id ~ '^va_[0-9a-z]{8}$'::text)),
    CONSTRAINT virtual_account_state_check CHECK ((state = ANY (ARRAY['creating'::text, 'open'::text, 'failed'::text, 'closed'::text])))
);

ALTER TABLE public.virtual_account ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.virtual_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.wallet (
    account_id bigint NOT NULL,
    currency text NOT NULL,
    available_id bigint NOT NULL,
    held_id bigint NOT NULL,
    available bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    spent bigint DEFAULT 0 NOT NULL,
    pending_id bigint NOT NULL,
    debt_id bigint NOT NULL,
    pending bigint DEFAULT 0 NOT NULL,
    debt bigint DEFAULT 0 NOT NULL,
    closed boolean DEFAULT false NOT NULL,
    CONSTRAINT wallet_available_not_negative CHECK ((available >= 0)),
    CONSTRAINT wallet_closed_is_empty CHECK (((NOT closed) OR ((available = 0) AND (held = 0) AND (pending = 0) AND (debt = 0)))),
    CONSTRAINT wallet_debt_not_negative CHECK ((debt >= 0)),
    CONSTRAINT wallet_held_not_negative CHECK ((held >= 0)),
    CONSTRAINT wallet_pending_not_negative CHECK ((pending >= 0)),
    CONSTRAINT wallet_spent_not_negative CHECK ((spent >= 0))
)
WITH (fillfactor='70');

CREATE TABLE public.webhook_delivery (
    id bigint NOT NULL,
    endpoint_id bigint NOT NULL,
    account_id bigint NOT NULL,
    message_id bigint NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    url text,
    status integer,
    problem text,
    created_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT webhook_delivery_check CHECK (((state = 'pending'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT webhook_delivery_check1 CHECK (((state = 'pending'::text) = (closed_at IS NULL))),
    CONSTRAINT webhook_delivery_problem_check CHECK ((length(problem) <= 200)),
    CONSTRAINT webhook_delivery_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
);

ALTER TABLE public.webhook_delivery ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.webhook_endpoint (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    format text NOT NULL,
    event text NOT NULL,
    url text NOT NULL,
    secret bytea NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    switched_off text,
    failing_since timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_endpoint_check CHECK (((switched_off IS NULL) OR (NOT enabled))),
    CONSTRAINT webhook_endpoint_event_check CHECK ((event = ANY (ARRAY['message'::text, 'code'::text]))),
    CONSTRAINT webhook_endpoint_format_check CHECK ((format = ANY (ARRAY['onlinesim'::text, 'daisysim'::text]))),
    CONSTRAINT webhook_endpoint_secret_check CHECK ((length(secret) = 32)),
    CONSTRAINT webhook_endpoint_switched_off_check CHECK ((switched_off = ANY (ARRAY['gone'::text, 'failing'::text]))),
    CONSTRAINT webhook_endpoint_url_check CHECK (((length(url) >= 1) AND (length(url) <= 2000)))
);

ALTER TABLE public.webhook_endpoint ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_endpoint_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.withheld AS
 SELECT pool_blacklist.pool_id,
    NULL::text AS country,
    pool_blacklist.service_id,
    'infinity'::timestamp with time zone AS until
   FROM public.pool_blacklist
UNION ALL
 SELECT pool_standing.pool_id,
    pool_standing.country,
    pool_standing.service_id,
    pool_standing.blocked_until AS until
   FROM public.pool_standing
  WHERE (pool_standing.blocked_until > '-infinity'::timestamp with time zone);

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_email_taken UNIQUE (email);

ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (account_id, verb);

ALTER TABLE ONLY public.claim_cursor
    ADD CONSTRAINT claim_cursor_pkey PRIMARY KEY (pool_id, country, operator_id, service_id);

ALTER TABLE ONLY public.country
    ADD CONSTRAINT country_pkey PRIMARY KEY (iso2);

ALTER TABLE ONLY public.deposit
    ADD CONSTRAINT deposit_once UNIQUE (provider, reference);

ALTER TABLE ONLY public.deposit
    ADD CONSTRAINT deposit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.earning
    ADD CONSTRAINT earning_once_of_a_lease UNIQUE (lease_id);

ALTER TABLE ONLY public.earning
    ADD CONSTRAINT earning_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.exchange_rate
    ADD CONSTRAINT exchange_rate_pkey PRIMARY KEY (currency);

ALTER TABLE ONLY public.gateway_device
    ADD CONSTRAINT gateway_device_pkey PRIMARY KEY (gateway_id, device);

ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_name_taken UNIQUE (name);

ALTER TABLE ONLY public.gateway_outcome
    ADD CONSTRAINT gateway_outcome_pkey PRIMARY KEY (gateway_id, day, outcome);

ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.gateway_seen
    ADD CONSTRAINT gateway_seen_pkey PRIMARY KEY (gateway_id, digest);

ALTER TABLE ONLY public.gateway_sim
    ADD CONSTRAINT gateway_sim_pkey PRIMARY KEY (gateway_id, key);

ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_token_taken UNIQUE (token_digest);

ALTER TABLE ONLY public.gateway_unmatched
    ADD CONSTRAINT gateway_unmatched_pkey PRIMARY KEY (gateway_id, key);

ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (account_id, key);

ALTER TABLE ONLY public.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (issuer, subject);

ALTER TABLE ONLY public.late_message
    ADD CONSTRAINT late_message_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ledger_account
    ADD CONSTRAINT ledger_account_id_currency_key UNIQUE (id, currency);

ALTER TABLE ONLY public.ledger_account
    ADD CONSTRAINT ledger_account_kind_account_id_currency_key UNIQUE NULLS NOT DISTINCT (kind, account_id, currency);

ALTER TABLE ONLY public.ledger_account
    ADD CONSTRAINT ledger_account_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.login_count
    ADD CONSTRAINT login_count_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY public.mail
    ADD CONSTRAINT mail_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.mailed_token
    ADD CONSTRAINT mailed_token_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.message_dropped
    ADD CONSTRAINT message_dropped_pkey PRIMARY KEY (pool_id, day, reason);

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.message_seen
    ADD CONSTRAINT message_seen_pkey PRIMARY KEY (lease_id, digest);

ALTER TABLE ONLY public.misuse
    ADD CONSTRAINT misuse_pkey PRIMARY KEY (account_id, day);

ALTER TABLE ONLY public.mobile_operator
    ADD CONSTRAINT mobile_operator_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.mobile_operator
    ADD CONSTRAINT mobile_operator_plmn_key UNIQUE (plmn);

ALTER TABLE ONLY public.number_ban
    ADD CONSTRAINT number_ban_pkey PRIMARY KEY (account_id, number_id);

ALTER TABLE ONLY public.number_check
    ADD CONSTRAINT number_check_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_taken UNIQUE (msisdn);

ALTER TABLE ONLY public.payout
    ADD CONSTRAINT payout_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pool_blacklist
    ADD CONSTRAINT pool_blacklist_pkey PRIMARY KEY (pool_id, service_id);

ALTER TABLE ONLY public.pool
    ADD CONSTRAINT pool_name_taken UNIQUE (name);

ALTER TABLE ONLY public.pool
    ADD CONSTRAINT pool_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pool_standing
    ADD CONSTRAINT pool_standing_pkey PRIMARY KEY (pool_id, country, service_id);

ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_country_service_id_pool_id_key UNIQUE NULLS NOT DISTINCT (country, service_id, pool_id);

ALTER TABLE ONLY public.public_message
    ADD CONSTRAINT public_message_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.quality_event
    ADD CONSTRAINT quality_event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.quality
    ADD CONSTRAINT quality_pkey PRIMARY KEY (pool_id, country, service_id, day);

ALTER TABLE ONLY public.referral
    ADD CONSTRAINT referral_of_an_account PRIMARY KEY (referred_id);

ALTER TABLE ONLY public.refresh_token
    ADD CONSTRAINT refresh_token_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.refund
    ADD CONSTRAINT refund_once PRIMARY KEY (activation_id);

ALTER TABLE ONLY public.remote_profile
    ADD CONSTRAINT remote_key_in_taken UNIQUE (key_in_digest);

ALTER TABLE ONLY public.remote_lease
    ADD CONSTRAINT remote_lease_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.remote_offer
    ADD CONSTRAINT remote_offer_pkey PRIMARY KEY (pool_id, country_name, service_name, operator_name);

ALTER TABLE ONLY public.remote_profile
    ADD CONSTRAINT remote_profile_pkey PRIMARY KEY (pool_id);

ALTER TABLE ONLY public.remote_unknown_name
    ADD CONSTRAINT remote_unknown_name_pkey PRIMARY KEY (pool_id, kind, name);

ALTER TABLE ONLY public.rental_period
    ADD CONSTRAINT rental_period_pkey PRIMARY KEY (rental_id, ordinal);

ALTER TABLE ONLY public.rental
    ADD CONSTRAINT rental_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rental_price
    ADD CONSTRAINT rental_price_country_days_pool_id_key UNIQUE NULLS NOT DISTINCT (country, days, pool_id);

ALTER TABLE ONLY public.sandbox_message
    ADD CONSTRAINT sandbox_message_pkey PRIMARY KEY (lease_id);

ALTER TABLE ONLY public.sandbox_payment
    ADD CONSTRAINT sandbox_payment_pkey PRIMARY KEY (reference);

ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.service_permission
    ADD CONSTRAINT service_permission_pkey PRIMARY KEY (account_id, service_id);

ALTER TABLE ONLY public.service
    ADD CONSTRAINT service_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.service
    ADD CONSTRAINT service_slug_key UNIQUE (slug);

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.shelf
    ADD CONSTRAINT shelf_pkey PRIMARY KEY (country, pool_id);

ALTER TABLE ONLY public.shelf_used
    ADD CONSTRAINT shelf_used_pkey PRIMARY KEY (country, pool_id, service_id);

ALTER TABLE ONLY public.stock_change
    ADD CONSTRAINT stock_change_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.stock_counted
    ADD CONSTRAINT stock_counted_pkey PRIMARY KEY (number_id);

ALTER TABLE ONLY public.token_key
    ADD CONSTRAINT token_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.transfer
    ADD CONSTRAINT transfer_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.transfer
    ADD CONSTRAINT transfer_reference_taken UNIQUE (reference);

ALTER TABLE ONLY public.virtual_account
    ADD CONSTRAINT virtual_account_of_one_wallet UNIQUE (provider, account_number);

ALTER TABLE ONLY public.virtual_account
    ADD CONSTRAINT virtual_account_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.virtual_account
    ADD CONSTRAINT virtual_account_public_id_taken UNIQUE (public_id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_available_id_key UNIQUE (available_id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_debt_id_key UNIQUE (debt_id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_held_id_key UNIQUE (held_id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_pending_id_key UNIQUE (pending_id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_once UNIQUE (endpoint_id, message_id);

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_account_id_format_key UNIQUE (account_id, format);

ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (id);

CREATE INDEX activation_by_account ON public.activation USING btree (account_id, id);

CREATE INDEX activation_due ON public.activation USING btree (expires_at) WHERE is_open;

CREATE UNIQUE INDEX activation_number_serves_a_service_once ON public.activation USING btree (number_id, service_id) WHERE (NOT repeatable);

CREATE UNIQUE INDEX activation_one_open_per_number ON public.activation USING btree (number_id) WHERE is_open;

CREATE INDEX activation_open_by_account ON public.activation USING btree (account_id, id) WHERE is_open;

CREATE INDEX api_key_by_account ON public.api_key USING btree (account_id);

CREATE INDEX deposit_by_virtual_account ON public.deposit USING btree (virtual_account_id, id);

CREATE INDEX deposit_due ON public.deposit USING btree (next_attempt_at) WHERE (state = 'seen'::text);

CREATE INDEX deposit_refused ON public.deposit USING btree (id) WHERE (state = 'refused'::text);

CREATE INDEX earning_by_account ON public.earning USING btree (account_id, earned_at);

CREATE INDEX earning_due ON public.earning USING btree (due_at) WHERE (state = 'pending'::text);

CREATE INDEX gateway_by_pool ON public.gateway USING btree (pool_id);

CREATE INDEX gateway_seen_by_age ON public.gateway_seen USING btree (seen_at);

CREATE INDEX idempotency_open ON public.idempotency USING btree (lease_id) WHERE ((outcome IS NULL) AND (lease_id IS NOT NULL));

CREATE INDEX idempotency_to_forget ON public.idempotency USING btree (created_at);

CREATE INDEX identity_by_account ON public.identity USING btree (account_id);

CREATE INDEX late_message_by_lease ON public.late_message USING btree (lease_id, id);

CREATE INDEX late_message_by_number ON public.late_message USING btree (number_id, id);

CREATE INDEX late_message_to_forget ON public.late_message USING btree (received_at);

CREATE INDEX login_count_by_end ON public.login_count USING btree (ends_at);

CREATE INDEX mail_closed ON public.mail USING btree (closed_at) WHERE (closed_at IS NOT NULL);

CREATE INDEX mail_due ON public.mail USING btree (next_attempt_at) WHERE (state = 'pending'::text);

CREATE INDEX mailed_token_by_account ON public.mailed_token USING btree (account_id);

CREATE INDEX mailed_token_by_expiry ON public.mailed_token USING btree (expires_at);

CREATE INDEX message_by_activation ON public.message USING btree (activation_id, id);

CREATE INDEX message_by_rental ON public.message USING btree (rental_id, id) WHERE (rental_id IS NOT NULL);

CREATE INDEX message_seen_on_number ON public.message_seen USING btree (number_id, digest) WHERE (number_id IS NOT NULL);

CREATE INDEX message_seen_to_forget ON public.message_seen USING btree (seen_at);

CREATE INDEX message_to_erase ON public.message USING btree (received_at) WHERE (body IS NOT NULL);

CREATE INDEX number_ban_newest ON public.number_ban USING btree (account_id, country, banned_at DESC, number_id DESC) INCLUDE (msisdn);

CREATE INDEX number_by_port ON public.number USING btree (pool_id, port) WHERE (listed AND (port <> msisdn));

CREATE INDEX number_check_by_number ON public.number_check USING btree (number_id, id);

CREATE INDEX number_check_due ON public.number_check USING btree (due_at) WHERE (closed_at IS NULL);

CREATE UNIQUE INDEX number_check_one_open ON public.number_check USING btree (number_id) WHERE (closed_at IS NULL);

CREATE INDEX number_listed_by_pool ON public.number USING btree (pool_id) WHERE listed;

CREATE INDEX number_operator_shelf ON public.number USING btree (pool_id, operator_id, "position", id) WHERE (available AND (operator_id IS NOT NULL));

CREATE INDEX number_public ON public.number USING btree (country, published_at) WHERE (published_at IS NOT NULL);

CREATE INDEX number_rent_ban_due ON public.number USING btree (rent_banned_until) WHERE (rent_banned_until IS NOT NULL);

CREATE INDEX number_rent_shelf ON public.number USING btree (pool_id, country, "position", id) WHERE (available AND rent);

CREATE INDEX number_shelf ON public.number USING btree (pool_id, country, "position", id) WHERE available;

CREATE INDEX payout_by_account ON public.payout USING btree (account_id, id);

CREATE INDEX payout_requested ON public.payout USING btree (id) WHERE (state = 'requested'::text);

CREATE INDEX pool_by_supplier ON public.pool USING btree (supplier_id);

CREATE INDEX public_message_by_number ON public.public_message USING btree (number_id, id);

CREATE INDEX public_message_seen ON public.public_message USING btree (number_id, digest) WHERE (digest IS NOT NULL);

CREATE INDEX public_message_to_erase ON public.public_message USING btree (received_at);

CREATE INDEX public_message_to_forget ON public.public_message USING btree (received_at) WHERE (digest IS NOT NULL);

CREATE INDEX quality_by_day ON public.quality USING btree (day);

CREATE INDEX referral_by_referrer ON public.referral USING btree (referrer_id);

CREATE INDEX refresh_token_by_session ON public.refresh_token USING btree (session_id);

CREATE INDEX refund_by_time ON public.refund USING btree (refunded_at);

CREATE INDEX remote_lease_by_asking ON public.remote_lease USING btree (pool_id, asked_at);

CREATE INDEX remote_lease_by_lease ON public.remote_lease USING btree (lease_id);

CREATE INDEX remote_lease_by_remote_id ON public.remote_lease USING btree (pool_id, remote_id);

CREATE INDEX remote_lease_due ON public.remote_lease USING btree (due_at) WHERE (due_at < 'infinity'::timestamp with time zone);

CREATE UNIQUE INDEX remote_lease_of_one_remote_id ON public.remote_lease USING btree (pool_id, remote_id) WHERE (state = ANY (ARRAY['held'::text, 'finishing'::text]));

CREATE INDEX remote_lease_of_pool ON public.remote_lease USING btree (pool_id) WHERE (state = ANY (ARRAY['asking'::text, 'held'::text, 'finishing'::text]));

CREATE UNIQUE INDEX remote_lease_one_held ON public.remote_lease USING btree (lease_id) WHERE (state = ANY (ARRAY['asking'::text, 'held'::text]));

CREATE INDEX remote_lease_over ON public.remote_lease USING btree (changed_at) WHERE ((state = 'done'::text) AND (problem IS NULL) AND (ending IS DISTINCT FROM 'sold'::text));

CREATE INDEX remote_lease_problem ON public.remote_lease USING btree (changed_at) WHERE (problem IS NOT NULL);

CREATE INDEX remote_offer_by_want ON public.remote_offer USING btree (country, service_id, pool_id);

CREATE INDEX rental_by_account ON public.rental USING btree (account_id, id);

CREATE INDEX rental_by_number ON public.rental USING btree (number_id);

CREATE INDEX rental_due ON public.rental USING btree (due_at) WHERE is_open;

CREATE UNIQUE INDEX rental_one_open_per_number ON public.rental USING btree (number_id) WHERE is_open;

CREATE INDEX sandbox_message_due ON public.sandbox_message USING btree (due_at);

CREATE INDEX session_by_expiry ON public.session USING btree (expires_at);

CREATE INDEX session_open_by_account ON public.session USING btree (account_id) WHERE (ended_at IS NULL);

CREATE INDEX transfer_by_credit ON public.transfer USING btree (credit_id, id);

CREATE INDEX transfer_by_debit ON public.transfer USING btree (debit_id, id);

CREATE INDEX transfer_referral_income ON public.transfer USING btree (credit_id) INCLUDE (amount) WHERE (kind = 'referral'::text);

CREATE INDEX transfer_referral_reversal ON public.transfer USING btree (debit_id) INCLUDE (amount) WHERE (kind = 'referral_reversal'::text);

CREATE INDEX virtual_account_by_account ON public.virtual_account USING btree (account_id, id);

CREATE INDEX virtual_account_due ON public.virtual_account USING btree (next_attempt_at) WHERE (state = 'creating'::text);

CREATE UNIQUE INDEX virtual_account_one_creating ON public.virtual_account USING btree (account_id, provider, bank_code) WHERE (state = 'creating'::text);

CREATE INDEX webhook_delivery_by_account ON public.webhook_delivery USING btree (account_id, id);

CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (endpoint_id, next_attempt_at, id) WHERE (state = 'pending'::text);

CREATE INDEX webhook_delivery_to_forget ON public.webhook_delivery USING btree (closed_at) WHERE (closed_at IS NOT NULL);

CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER transfer_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.transfer FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_number_id_fkey FOREIGN KEY (number_id) REFERENCES public.number(id);

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.activation
    ADD CONSTRAINT activation_supplier_id_fkey FOREIGN KEY (supplier_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.deposit
    ADD CONSTRAINT deposit_virtual_account_id_fkey FOREIGN KEY (virtual_account_id) REFERENCES public.virtual_account(id);

ALTER TABLE ONLY public.earning
    ADD CONSTRAINT earning_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet(account_id);

ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.gateway_device
    ADD CONSTRAINT gateway_device_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.gateway_outcome
    ADD CONSTRAINT gateway_outcome_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.gateway_seen
    ADD CONSTRAINT gateway_seen_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.gateway_sim
    ADD CONSTRAINT gateway_sim_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.gateway_unmatched
    ADD CONSTRAINT gateway_unmatched_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.identity
    ADD CONSTRAINT identity_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.late_message
    ADD CONSTRAINT late_message_number_id_fkey FOREIGN KEY (number_id) REFERENCES public.number(id);

ALTER TABLE ONLY public.ledger_account
    ADD CONSTRAINT ledger_account_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.mailed_token
    ADD CONSTRAINT mailed_token_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_activation_id_fkey FOREIGN KEY (activation_id) REFERENCES public.activation(id);

ALTER TABLE ONLY public.message_dropped
    ADD CONSTRAINT message_dropped_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_rental_id_fkey FOREIGN KEY (rental_id) REFERENCES public.rental(id);

ALTER TABLE ONLY public.misuse
    ADD CONSTRAINT misuse_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.mobile_operator
    ADD CONSTRAINT mobile_operator_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.number_ban
    ADD CONSTRAINT number_ban_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.number_ban
    ADD CONSTRAINT number_ban_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.number_ban
    ADD CONSTRAINT number_ban_number_id_fkey FOREIGN KEY (number_id) REFERENCES public.number(id);

ALTER TABLE ONLY public.number_check
    ADD CONSTRAINT number_check_number_id_fkey FOREIGN KEY (number_id) REFERENCES public.number(id);

ALTER TABLE ONLY public.number_check
    ADD CONSTRAINT number_check_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.mobile_operator(id);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_proved_for_fkey FOREIGN KEY (proved_for) REFERENCES public.pool(id);

ALTER TABLE ONLY public.payout
    ADD CONSTRAINT payout_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet(account_id);

ALTER TABLE ONLY public.pool_blacklist
    ADD CONSTRAINT pool_blacklist_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.pool_blacklist
    ADD CONSTRAINT pool_blacklist_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.pool
    ADD CONSTRAINT pool_reserved_for_fkey FOREIGN KEY (reserved_for) REFERENCES public.service(id);

ALTER TABLE ONLY public.pool_standing
    ADD CONSTRAINT pool_standing_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.pool_standing
    ADD CONSTRAINT pool_standing_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.pool_standing
    ADD CONSTRAINT pool_standing_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.pool
    ADD CONSTRAINT pool_supplier_id_fkey FOREIGN KEY (supplier_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.public_message
    ADD CONSTRAINT public_message_number_id_fkey FOREIGN KEY (number_id) REFERENCES public.number(id);

ALTER TABLE ONLY public.quality
    ADD CONSTRAINT quality_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.quality
    ADD CONSTRAINT quality_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.quality
    ADD CONSTRAINT quality_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.referral
    ADD CONSTRAINT referral_referred_known FOREIGN KEY (referred_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.referral
    ADD CONSTRAINT referral_referrer_known FOREIGN KEY (referrer_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.refresh_token
    ADD CONSTRAINT refresh_token_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.refund
    ADD CONSTRAINT refund_activation_id_fkey FOREIGN KEY (activation_id) REFERENCES public.activation(id);

ALTER TABLE ONLY public.remote_lease
    ADD CONSTRAINT remote_lease_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.remote_offer
    ADD CONSTRAINT remote_offer_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.remote_offer
    ADD CONSTRAINT remote_offer_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.mobile_operator(id);

ALTER TABLE ONLY public.remote_offer
    ADD CONSTRAINT remote_offer_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.remote_offer
    ADD CONSTRAINT remote_offer_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.remote_profile
    ADD CONSTRAINT remote_profile_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.remote_unknown_name
    ADD CONSTRAINT remote_unknown_name_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.rental
    ADD CONSTRAINT rental_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.rental
    ADD CONSTRAINT rental_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.rental
    ADD CONSTRAINT rental_number_id_fkey FOREIGN KEY (number_id) REFERENCES public.number(id);

ALTER TABLE ONLY public.rental_period
    ADD CONSTRAINT rental_period_rental_id_fkey FOREIGN KEY (rental_id) REFERENCES public.rental(id);

ALTER TABLE ONLY public.rental
    ADD CONSTRAINT rental_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.rental_price
    ADD CONSTRAINT rental_price_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.rental_price
    ADD CONSTRAINT rental_price_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.rental
    ADD CONSTRAINT rental_supplier_id_fkey FOREIGN KEY (supplier_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.service_permission
    ADD CONSTRAINT service_permission_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.service_permission
    ADD CONSTRAINT service_permission_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.shelf
    ADD CONSTRAINT shelf_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.shelf
    ADD CONSTRAINT shelf_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.shelf_used
    ADD CONSTRAINT shelf_used_country_fkey FOREIGN KEY (country) REFERENCES public.country(iso2);

ALTER TABLE ONLY public.shelf_used
    ADD CONSTRAINT shelf_used_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES public.pool(id);

ALTER TABLE ONLY public.shelf_used
    ADD CONSTRAINT shelf_used_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.service(id);

ALTER TABLE ONLY public.transfer
    ADD CONSTRAINT transfer_credit_id_currency_fkey FOREIGN KEY (credit_id, currency) REFERENCES public.ledger_account(id, currency);

ALTER TABLE ONLY public.transfer
    ADD CONSTRAINT transfer_debit_id_currency_fkey FOREIGN KEY (debit_id, currency) REFERENCES public.ledger_account(id, currency);

ALTER TABLE ONLY public.virtual_account
    ADD CONSTRAINT virtual_account_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet(account_id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_available_id_currency_fkey FOREIGN KEY (available_id, currency) REFERENCES public.ledger_account(id, currency);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_debt_id_currency_fkey FOREIGN KEY (debt_id, currency) REFERENCES public.ledger_account(id, currency);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_held_id_currency_fkey FOREIGN KEY (held_id, currency) REFERENCES public.ledger_account(id, currency);

ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_pending_id_currency_fkey FOREIGN KEY (pending_id, currency) REFERENCES public.ledger_account(id, currency);

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES public.webhook_endpoint(id);

ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.message(id);

ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);

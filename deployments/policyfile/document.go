package policyfile

// Document is one policy: who moves a service's traffic, in which steps, by which rules.
//
// The tags of its fields make the schema: doc is the key's description, default what holds where it is not written,
// required and enum what they say.
type Document struct {
	APIVersion    string          `yaml:"apiVersion,omitempty" enum:"serin/v1" default:"serin/v1" doc:"Version of this format."`
	Service       Name            `yaml:"service" required:"true" doc:"The service, as in the release events: 1 to 63 letters, digits, - and _."`
	Environment   Name            `yaml:"environment,omitempty" default:"production" doc:"The environment, as in the release events."`
	Prometheus    *Prometheus     `yaml:"prometheus,omitempty" default:"the daemon's own (--prometheus)" doc:"The Prometheus that is asked: its URL, or a mapping."`
	Traffic       *Traffic        `yaml:"traffic" required:"true" doc:"Who moves the traffic: exactly one of version_flag, flag, event, exec and observe."`
	Diluted       Bool            `yaml:"diluted,omitempty" default:"false" doc:"Of a feature flag: accept rules that cannot tell its variants apart."`
	Flags         *Flags          `yaml:"flags,omitempty" default:"Serin keeps them itself" doc:"The system that keeps the policy's flags: one of unleash, launchdarkly, file and webhook."`
	Steps         []Step          `yaml:"steps,omitempty" min:"1" default:"[5, 25, 50, 100]" doc:"Shares of traffic in percent, rising strictly, the last one 100; alone, or with what must hold there. Before the first there may be audiences."`
	Defaults      *Defaults       `yaml:"defaults,omitempty" doc:"Settings of all rules that do not write their own."`
	Vars          map[string]Text `yaml:"vars,omitempty" doc:"Variables of your own: {{vars.NAME}} in rules."`
	Rules         []Rule          `yaml:"rules" required:"true" min:"1" max:"2000" doc:"What healthy means: at least one rule, and one that does more than notify."`
	OnFailure     *OnFailure      `yaml:"on_failure,omitempty" default:"{do: [rollback]}" doc:"What is done when the rollout fails."`
	OnPromote     []PromoteAction `yaml:"on_promote,omitempty,flow" default:"nothing" doc:"What is done when the release is promoted."`
	OnNewRelease  string          `yaml:"on_new_release,omitempty" enum:"supersede,queue,refuse" default:"supersede" doc:"What a newer release does to the rollout under way."`
	FirstRelease  string          `yaml:"first_release,omitempty" enum:"allow,refuse" default:"refuse" doc:"Of an event mover: whether a deployer may be asked to take back a release that nothing was promoted before."`
	Ready         *Ready          `yaml:"ready,omitempty" default:"the series of {{version}} are there, within 5m" doc:"What must hold before the first traffic: none, or a mapping with query or http."`
	Advance       *Advance        `yaml:"advance,omitempty,flow" default:"always" doc:"Steps begin only while it is open. A rollback is allowed at all times."`
	Freeze        []Freeze        `yaml:"freeze,omitempty" default:"never" doc:"Times in which no step begins."`
	ConfirmWithin Duration        `yaml:"confirm_within,omitempty" default:"2m" doc:"How long a change of traffic or an action may take to be confirmed; then a person is told."`
	Recovery      Duration        `yaml:"recovery,omitempty" default:"5m" doc:"How long failed rules are watched after a rollback, until they are healthy."`
	Value         Money           `yaml:"value_per_request,omitempty" default:"nothing is said of money" doc:"What a request is worth, as in 0.12 EUR: serin report says by it what a rollback has saved."`
}

// Prometheus is the server that is asked. Secrets are named by file.
type Prometheus struct {
	URL             URL             `yaml:"url" required:"true" doc:"The server's URL, without /api/v1 and without a password."`
	Timeout         Duration        `yaml:"timeout,omitempty" default:"10s" doc:"How long one query may take."`
	BearerTokenFile string          `yaml:"bearer_token_file,omitempty" doc:"File with a bearer token."`
	BasicAuth       *BasicAuth      `yaml:"basic_auth,omitempty" doc:"User, and file with the password; not beside bearer_token_file."`
	TLS             *TLS            `yaml:"tls,omitempty" doc:"Authority and client certificate of the connection."`
	Headers         map[string]Text `yaml:"headers,omitempty" doc:"Headers sent with every query, as in X-Scope-OrgID; none that carry a secret."`
}

// BasicAuth is a user of Prometheus.
type BasicAuth struct {
	Username     Text   `yaml:"username" required:"true" doc:"The user."`
	PasswordFile string `yaml:"password_file" required:"true" doc:"File with the password."`
}

// TLS is how the connection to Prometheus is secured.
type TLS struct {
	CAFile             string `yaml:"ca_file,omitempty" default:"the system's authorities" doc:"File with the authorities that are trusted."`
	CertFile           string `yaml:"cert_file,omitempty" doc:"File with the client's certificate; with key_file."`
	KeyFile            string `yaml:"key_file,omitempty" doc:"File with the client's key; with cert_file."`
	ServerName         string `yaml:"server_name,omitempty" default:"the URL's host" doc:"The name in the server's certificate."`
	InsecureSkipVerify Bool   `yaml:"insecure_skip_verify,omitempty" default:"false" doc:"Do not verify the server's certificate."`
}

// Traffic is the one mover.
type Traffic struct {
	VersionFlag string  `yaml:"version_flag,omitempty" doc:"Key of a flag whose variants are versions, and whose default is the last promoted one."`
	Flag        string  `yaml:"flag,omitempty" doc:"Key of a feature flag, on or off. Rules tell its variants apart by {{variant}}."`
	Event       Name    `yaml:"event,omitempty" doc:"Name of your deployer: it is asked by traffic.requested, and acknowledges."`
	Exec        *Exec   `yaml:"exec,omitempty" doc:"A command, run without a shell."`
	Observe     Bool    `yaml:"observe,omitempty" enum:"true" doc:"Somebody else moves the traffic; Serin waits until the measured share is there."`
	Tolerance   Percent `yaml:"tolerance,omitempty" default:"3% with observe, else not compared" doc:"Allowed gap between the requested and the measured share, as in 5%; a larger one holds and alerts."`
}

// Exec is a command that moves traffic.
type Exec struct {
	Set  []Text `yaml:"set,flow" required:"true" min:"1" doc:"Command and arguments that set the share: {{percent}}, {{share}} (of 10000), {{version}}, {{stable}}, {{service}}, {{environment}}, {{rollout}}, {{seq}}."`
	Read []Text `yaml:"read,omitempty,flow" min:"1" doc:"Command and arguments that print the percentage the new version has."`
}

// Step is a share of traffic, and what must hold there before the next one.
type Step struct {
	Weight   Weight              `yaml:"weight,omitempty" doc:"Percent of traffic, above 0 and up to 100, with two decimals at most. Without one the step has an audience alone."`
	Audience map[string]Patterns `yaml:"audience,omitempty" doc:"Users who see the new version from this step on, whatever the weight: attributes of their evaluation context, all of which match."`
	Bake     Duration            `yaml:"bake,omitempty" default:"10m, and 0s at the last step" doc:"How long the step lasts from its confirmed start. At 100 % rules still take the release back until it is over."`
	Approval string              `yaml:"approval,omitempty" enum:"manual,none" default:"none" doc:"manual: a person lets the rollout leave the step (serin approve)."`
}

// Patterns are one pattern, or several of which one matches.
type Patterns []Text

// OnFailure is what is done when a rollout fails.
type OnFailure struct {
	Do   []Action `yaml:"do,omitempty,flow" min:"1" default:"[rollback]" doc:"All done at once, each retried on its own."`
	Else []Action `yaml:"else,omitempty,flow" default:"nothing" doc:"Done when an action of do is not confirmed in time, or did not help."`
}

// Action is one thing to do on failure: the word rollback, or a mapping with one key.
type Action struct {
	Rollback bool   `yaml:"-"`
	Flag     string `yaml:"flag,omitempty" doc:"Key of a feature flag that is turned off."`
	Event    string `yaml:"event,omitempty" pattern:"^[a-z0-9_-]{1,40}\\.[a-z0-9_-]{1,40}$" doc:"Name of an event that is published: two words with a dot between."`
}

// PromoteAction is one thing to do on promotion.
type PromoteAction struct {
	Event string `yaml:"event" required:"true" pattern:"^[a-z0-9_-]{1,40}\\.[a-z0-9_-]{1,40}$" doc:"Name of an event that is published: two words with a dot between."`
}

// Ready is what must hold before the first traffic: the word none, or a mapping.
type Ready struct {
	None   bool     `yaml:"-"`
	Query  Query    `yaml:"query,omitempty" doc:"PromQL condition: its answer has series, and none of them is 0. Not beside http."`
	HTTP   URL      `yaml:"http,omitempty" doc:"URL that answers GET with a status of 2xx; {{version}}, {{service}} and {{environment}} are filled in. Not beside query."`
	Within Duration `yaml:"within,omitempty" default:"5m" doc:"How long it may take; then the release ends as not ready, without a rollback."`
}

// Advance is when steps may begin.
type Advance struct {
	Open string   `yaml:"open" required:"true" doc:"Cron line of the times at which it opens, as in CRON_TZ=Asia/Seoul 0 9 * * MON-FRI; UTC without a zone."`
	For  Duration `yaml:"for" required:"true" doc:"How long it is open from each of them."`
}

// Freeze is a time in which no step begins: one that comes again, or one that comes once.
type Freeze struct {
	Open string   `yaml:"open,omitempty" doc:"Cron line of the times at which it begins; with for."`
	For  Duration `yaml:"for,omitempty" doc:"How long it lasts from each of them; with open."`
	From string   `yaml:"from,omitempty" doc:"When it begins, once, as in 2026-12-24T00:00:00+01:00; with to."`
	To   string   `yaml:"to,omitempty" doc:"When it ends; with from."`
}

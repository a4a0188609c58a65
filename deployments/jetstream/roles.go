package jetstream

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/serin-cd/serin/deployments"
)

// Scope narrows roles to what somebody is responsible for. Empty fields mean all.
type Scope struct {
	Environment, Service string
}

// Validate refuses names that are no tokens of a subject.
func (s Scope) Validate() error {
	if err := (deployments.Slot{Environment: orAny(s.Environment, "any"), Service: orAny(s.Service, "any")}).Validate(); err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	return nil
}

// Role is what one kind of client may do. All but the worker live in an account of their own: what the server itself
// sends to a subject that a client names, as it does with every reply, stays in the client's account then.
type Role struct {
	Name      string   `json:"role"`
	User      string   `json:"user"`              // the name and the scope, such as ci-production-checkout
	Account   string   `json:"account"`           // such as SERIN_CI_PRODUCTION_CHECKOUT; of the worker SERIN
	Imports   []Import `json:"imports,omitempty"` // what its account takes from SERIN
	Publish   []string `json:"publish"`           // allowed
	Deny      []string `json:"deny,omitempty"`    // of what Publish allows
	Subscribe []string `json:"subscribe"`         // allowed
	Inbox     string   `json:"inbox"`             // ClientOptions.Inbox of the role: no other user reads its replies
}

// Import is a subject of Serin's account that another account uses.
type Import struct {
	Kind    string `json:"kind"`            // service: what is published goes there; stream: what is published there comes
	Subject string `json:"subject"`         // in Serin's account
	To      string `json:"to,omitempty"`    // in the other account; "": the same
	Share   bool   `json:"share,omitempty"` // the server says who sent it
}

// journalReaders are the durable consumers of the journal.
var journalReaders = [...]string{dispatchConsumer, summariesConsumer}

// Roles are the six roles with the rights they need and no others, each once a scope (none: of everything). A worker has
// no scope, and of an application only the environment counts: flags belong to no service. None of them may make,
// change or delete a stream. It refuses scopes whose users would have the same name.
func Roles(n Names, scopes ...Scope) ([]Role, error) {
	if len(scopes) == 0 {
		scopes = []Scope{{}}
	}
	var all []Role
	seen := map[string]Role{}
	for _, s := range scopes {
		g := grants{n, orAny(s.Environment, "*") + "." + orAny(s.Service, "*"), s}
		for _, r := range []Role{g.ci(), g.operator(), g.viewer(), g.deployer(), g.worker(), g.application()} {
			same, twice := seen[r.Account+n.password(r.User)]
			switch {
			case !twice:
				seen[r.Account+n.password(r.User)] = r
				all = append(all, r)
			case !reflect.DeepEqual(same, r):
				return nil, fmt.Errorf("users %s and %s would share a name: print them apart, and give one another", same.User, r.User)
			}
		}
	}
	return all, nil
}

// grants makes the rights of one scope.
type grants struct {
	n     Names
	slot  string // <environment>.<service>, with * for all
	scope Scope
}

// role begins a role with its inbox.
func (g grants) role(name string, s Scope) Role {
	user := strings.Join(append([]string{name}, nonEmpty(s.Environment, s.Service)...), "-")
	inbox := "_INBOX." + user
	account := g.n.Stream(strings.ToUpper(strings.ReplaceAll(user, "-", "_")))
	return Role{Name: name, User: user, Account: account, Inbox: inbox, Subscribe: []string{inbox + ".>"}}
}

// service lets a role send to a subject and hear the answer.
func (r *Role) service(subjects ...string) {
	for _, s := range subjects {
		r.Imports = append(r.Imports, Import{Kind: "service", Subject: s})
		r.Publish = append(r.Publish, s)
	}
}

// signed lets a role send what is obeyed: it arrives with the sender's name, written by the server.
func (r *Role) signed(n Names, kind, rest string) {
	to := n.Subject(kind, rest)
	r.Imports = append(r.Imports, Import{Kind: "service", Subject: n.Subject(signedToken, kind, rest), To: to, Share: true})
	r.Publish = append(r.Publish, to)
}

// api lets a role use JetStream of Serin's account, under [Names.API]: the usual prefix is the one of its own account.
func (r *Role) api(n Names, subjects ...string) {
	for _, s := range subjects {
		to := n.API() + "." + strings.TrimPrefix(s, "$JS.API.")
		r.Imports = append(r.Imports, Import{Kind: "service", Subject: s, To: to})
		r.Publish = append(r.Publish, to)
	}
}

// stream lets a role hear what is published on a subject.
func (r *Role) stream(subjects ...string) {
	for _, s := range subjects {
		r.Imports = append(r.Imports, Import{Kind: "stream", Subject: s})
		r.Subscribe = append(r.Subscribe, s)
	}
}

// ci publishes releases, follows them, and aborts its own.
func (g grants) ci() Role {
	r := g.role("ci", g.scope)
	r.service(g.n.Subject("release", g.slot), g.n.Subject("read", g.slot, readLast)) // what was released last tells a new attempt
	r.signed(g.n, "cmd", g.slot+".abort")
	r.service(g.n.Subject("read", g.slot, readHistory)) // a pipeline may come late, behind another rollout
	r.stream(g.n.Subject("refused", g.slot))
	g.follow(&r)
	return r
}

// operator sees what a viewer sees and gives orders. Flags belong to no service: it writes them where its scope names
// none.
func (g grants) operator() Role {
	r := g.role("operator", g.scope)
	r.signed(g.n, "cmd", g.slot+".*")
	if g.scope.Service == "" {
		r.api(g.n, g.flags(g.scope.Environment))
		r.service(g.n.Subject("audit", orAny(g.scope.Environment, "*"), ">")) // what it does to a flag is put on record
	}
	if g.scope == (Scope{}) {
		g.letters(&r)
	}
	g.view(&r)
	return r
}

// letters is reading dead letters, and publishing releases among them again. Letters name no slot: it is all or none.
func (g grants) letters(r *Role) {
	dlq := g.n.Stream(DLQStream)
	r.api(g.n, "$JS.API.STREAM.INFO."+dlq, "$JS.API.DIRECT.GET."+dlq, "$JS.API.DIRECT.GET."+dlq+".>")
	r.service(g.n.Subject("release", g.slot), g.n.Subject("dlq", retriedToken, "*"))
	r.stream(g.n.Subject("refused", g.slot))
}

func (g grants) viewer() Role {
	r := g.role("viewer", g.scope)
	g.view(&r)
	return r
}

// view is status, history, events, flags and workers, and changes nothing.
func (g grants) view(r *Role) {
	r.service(g.n.Subject("ask", g.slot), g.n.Subject("read", g.slot, readLast), g.n.Subject("read", g.slot, readHistory), g.n.Subject("read", g.slot, readJournal), g.n.Subject("about"))
	if g.scope.Service == "" {
		r.service(g.n.Subject("slots", orAny(g.scope.Environment, "*")))
	}
	if g.scope == (Scope{}) {
		r.service(g.n.Subject("slots"))
	}
	flags := g.bucket(FlagsBucket)
	r.api(g.n, "$JS.API.STREAM.INFO."+flags, "$JS.API.DIRECT.GET."+flags+"."+g.flags(g.scope.Environment))
	r.stream(g.n.Subject("worker", "*"))
	g.follow(r)
}

// deployer reads requests and acknowledges them.
func (g grants) deployer() Role {
	r := g.role("deployer", g.scope)
	r.signed(g.n, "ack", g.slot)
	r.stream(g.n.Subject("rollback", g.slot))
	g.follow(&r)
	return r
}

// application reads the flags of its environment. It follows them through consumers of its own, which push to its inbox.
func (g grants) application() Role {
	r := g.role("application", Scope{Environment: g.scope.Environment})
	stream := g.bucket(FlagsBucket)
	r.api(g.n, "$JS.API.STREAM.INFO."+stream, "$JS.API.CONSUMER.CREATE."+stream+".*."+g.flags(g.scope.Environment), "$JS.API.CONSUMER.DELETE."+stream+".*")
	r.service("$JS.FC." + stream + ".>")
	r.Imports = append(r.Imports, Import{Kind: "stream", Subject: r.Inbox + ".>"})
	return r
}

// follow is Events.Follow of a slot: what is stored by asking, what comes by hearing it.
func (g grants) follow(r *Role) {
	r.service(g.n.Subject("read", g.slot, readEvents))
	r.stream(g.n.Subject("event", g.slot, ">"))
}

// flags are the subjects of an environment's flags.
func (g grants) flags(environment string) string {
	return "$KV." + g.n.Bucket(FlagsBucket) + "." + strings.Join(append(nonEmpty(environment), ">"), ".")
}

// bucket is the stream behind a bucket.
func (g grants) bucket(name string) string { return "KV_" + g.n.Bucket(name) }

func orAny(name, all string) string {
	if name == "" {
		return all
	}
	return name
}

func nonEmpty(names ...string) []string {
	var out []string
	for _, name := range names {
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

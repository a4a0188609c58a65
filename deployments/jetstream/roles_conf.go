package jetstream

import (
	"fmt"
	"slices"
	"strings"
)

// account is the account that Serin lives in: SERIN.
func (n Names) account() string { return strings.TrimSuffix(n.Stream(""), "_") }

// setupUser makes the streams. It is the only one without restrictions.
const setupUser = "setup"

// ServerConfig is the roles as accounts of a nats-server.conf. Passwords come from the environment of the server, which
// does not start while one is missing.
func ServerConfig(n Names, roles []Role) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The server needs JetStream: jetstream { store_dir: … }. `serin setup` runs once, as the user %s.\naccounts {\n", setupUser)
	fmt.Fprintf(&b, "  %s: {\n    jetstream: enabled\n    exports: [\n", n.account())
	for _, e := range exports(roles) {
		fmt.Fprintf(&b, "      {%s: %q, accounts: [%s]}\n", e.kind, e.subject, strings.Join(e.accounts, ", "))
	}
	fmt.Fprintf(&b, "    ]\n    users: [\n      {user: %q, password: $%s}\n", setupUser, n.password(setupUser))
	for _, r := range roles {
		if r.Account == n.account() {
			n.user(&b, r)
		}
	}
	b.WriteString("    ]\n  }\n")
	for _, r := range roles {
		if r.Account == n.account() {
			continue
		}
		fmt.Fprintf(&b, "  %s: {\n    imports: [\n", r.Account)
		for _, i := range r.Imports {
			b.WriteString("      " + i.config(n.account()) + "\n")
		}
		b.WriteString("    ]\n    users: [\n")
		n.user(&b, r)
		b.WriteString("    ]\n  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func (i Import) config(account string) string {
	s := fmt.Sprintf("{%s: {account: %s, subject: %q}", i.Kind, account, i.Subject)
	if i.To != "" {
		s += fmt.Sprintf(", to: %q", i.To)
	}
	if i.Share {
		s += ", share: true"
	}
	return s + "}"
}

// export is a subject, and the accounts that may import it.
type export struct {
	kind, subject string
	accounts      []string
}

func exports(roles []Role) []export {
	var all []export
	for _, r := range roles {
		for _, i := range r.Imports {
			at := slices.IndexFunc(all, func(e export) bool { return e.kind == i.Kind && e.subject == i.Subject })
			if at < 0 {
				at, all = len(all), append(all, export{kind: i.Kind, subject: i.Subject})
			}
			all[at].accounts = append(all[at].accounts, r.Account)
		}
	}
	return all
}

// user writes a role's user.
func (n Names) user(b *strings.Builder, r Role) {
	fmt.Fprintf(b, "      {\n        user: %q\n        password: $%s # inbox prefix: %s\n        permissions: {\n", r.User, n.password(r.User), r.Inbox)
	fmt.Fprintf(b, "          publish: {\n%s%s          }\n", subjects("allow", r.Publish), subjects("deny", r.Deny))
	fmt.Fprintf(b, "          subscribe: {\n%s          }\n        }\n      }\n", subjects("allow", r.Subscribe))
}

func subjects(kind string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "            %s: [\n", kind)
	for _, s := range list {
		fmt.Fprintf(&b, "              %q\n", s)
	}
	b.WriteString("            ]\n")
	return b.String()
}

// password is the variable with a user's password: ci-production has SERIN_CI_PRODUCTION.
func (n Names) password(user string) string {
	return n.Stream(strings.ToUpper(strings.ReplaceAll(user, "-", "_")))
}

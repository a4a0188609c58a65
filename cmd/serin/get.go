package main

import (
	"context"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/serin-cd/serin/deployments"
)

// getFlags say what `serin get` shows, and how.
type getFlags struct {
	natsFlags
	environment, output string
	watch, noColour     bool
}

func newGet(env Env) *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get [SERVICE]",
		Short: "Show a rollout as a tree, or all that are under way; with -w live",
		Long: "Get shows where a service's rollout is and why: its steps, its rules with their readings, what was decided. Without SERVICE it\n" +
			"shows all rollouts that are under way, briefly.\n" +
			"With -w it goes on until it is interrupted, through the next rollout too, and ends with status 0. Away from a terminal -w\n" +
			"prints one block, or with -o json one object a line, whenever the state changes.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return get(cmd, args, env, &f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment; without SERVICE: only this one (default all)")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on showing it until it is interrupted")
	cmd.Flags().BoolVar(&f.noColour, "no-color", false, "no colours (also: NO_COLOR in the environment, or TERM=dumb)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func get(cmd *cobra.Command, args []string, env Env, f *getFlags) error {
	if err := textOrJSON(f.output); err != nil {
		return err
	}
	g := getter{env: env, flags: f}
	if len(args) == 1 {
		g.slot = deployments.Slot{Environment: f.environment, Service: args[0]}
		if err := g.slot.Validate(); err != nil {
			return exitError{code: exitUsage, err: err}
		}
	} else if !cmd.Flags().Changed("env") {
		f.environment = ""
	}
	given := f.natsFlags
	dial := func(ctx context.Context) (*remote, error) {
		at := given // dial adds to it what the environment says, secrets included
		return at.dial(ctx, env)
	}
	r, err := dial(cmd.Context())
	if err != nil {
		return err
	}
	g.link = &wire{remote: r, dial: dial}
	defer func() { g.link.close() }()
	if f.watch {
		return g.watch(cmd.Context())
	}
	return g.once(cmd.Context())
}

// getter shows one slot, or all.
type getter struct {
	env   Env
	flags *getFlags
	slot  deployments.Slot // the zero Slot: all
	link  *wire
	slots listed // of all
}

// look asks what there is to see. told says that something has happened.
func (g *getter) look(ctx context.Context, before []looked, told bool) ([]looked, error) {
	now := g.env.Now()
	if g.slot != (deployments.Slot{}) {
		var last looked
		if len(before) > 0 {
			last = before[0]
		}
		l, err := lookAt(ctx, g.link.remote, g.slot, now, last)
		return []looked{l}, err
	}
	if err := g.slots.refresh(ctx, g.link.remote, g.flags.environment, now, told); err != nil {
		return quiet(before, now), err
	}
	return lookAtAll(ctx, g.link.remote, g.slots.entries, now, before)
}

// once shows what is to be seen now.
func (g *getter) once(ctx context.Context) error {
	seen, err := g.look(ctx, nil, true)
	if err != nil {
		return err
	}
	views := viewsOf(g.env, seen)
	switch {
	case g.flags.output == "json" && g.slot != (deployments.Slot{}):
		return printJSON(g.env.Stdout, views[0])
	case g.flags.output == "json":
		return printJSON(g.env.Stdout, views)
	}
	_, err = g.env.Stdout.Write([]byte(g.draw(views, g.width(), g.colour())))
	return err
}

// draw is the views as text.
func (g *getter) draw(views []view, width int, colour bool) string {
	if g.slot != (deployments.Slot{}) && len(views) == 1 {
		return render(views[0], width, colour)
	}
	return renderAll(views, width, colour)
}

func viewsOf(env Env, seen []looked) []view {
	views := []view{}
	for _, l := range seen {
		views = append(views, newView(env.Now(), l))
	}
	return views
}

// pageWidth is the width away from a terminal, where COLUMNS does not say another.
const pageWidth = 100

// width is how wide a drawing may be.
func (g *getter) width() int {
	if f := terminal(g.env); f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	if n, err := strconv.Atoi(g.env.Getenv("COLUMNS")); err == nil && n >= 20 && n <= 1000 {
		return n
	}
	return pageWidth
}

// colour reports whether colours are wanted, and can be shown.
func (g *getter) colour() bool {
	return !g.flags.noColour && g.env.Getenv("NO_COLOR") == "" && terminal(g.env) != nil
}

// terminal is the terminal that stdout is, if it can do more than print.
func terminal(env Env) *os.File {
	f, ok := env.Stdout.(*os.File)
	if !ok || env.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

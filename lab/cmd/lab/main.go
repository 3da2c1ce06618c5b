// Command lab serves the vCenters of a scenario on this machine, for tests and demonstrations. It prints its endpoints as one
// line of JSON and ends when its standard input closes, so that a test run that dies leaves nothing behind.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"esxodus/lab/internal/control"
	"esxodus/lab/internal/lab"
	"esxodus/lab/internal/scenario"
)

const usage = `Usage: lab [--scenario FILE] [--any-port] [--control ADDRESS] [--keep]

Serves the vCenters of a scenario over HTTPS on loopback, with their arrays and hosts, and a control port over plain HTTP.
Prints its endpoints as one line of JSON. Ends when its standard input closes, and on SIGINT and SIGTERM.

`

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	file := flags.String("scenario", "lab/scenarios/lab.yaml", "the `FILE` that describes the lab; its format: lab/README.md")
	anyPort := flags.Bool("any-port", false, "take free ports instead of those of the scenario and of --control")
	at := flags.String("control", "127.0.0.1:8450", "the `ADDRESS` of the control port")
	keep := flags.Bool("keep", false, "do not end when the standard input closes")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("lab: unexpected argument %q; --help shows what is allowed", flags.Arg(0))
	}
	if *anyPort {
		*at = "127.0.0.1:0"
	}
	if host, _, err := net.SplitHostPort(*at); err != nil || net.ParseIP(host) == nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("lab: --control %s: not an address of this machine; write such as 127.0.0.1:8450", *at)
	}
	sc, err := scenario.Load(*file)
	if err != nil {
		if scenario.IsProblem(err) {
			return err
		}
		return fmt.Errorf("lab: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	server, err := lab.Start(sc, *anyPort)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer func() { _ = server.Close() }()
	port, err := net.Listen("tcp", *at)
	if err != nil {
		return fmt.Errorf("lab: control port: cannot listen on %s: %w", *at, err)
	}
	server.Control = "http://" + port.Addr().String()
	web := &http.Server{Handler: control.Handler(server)}
	go func() { _ = web.Serve(port) }()
	defer func() { _ = web.Close() }()
	if err := json.NewEncoder(stdout).Encode(server.Endpoints()); err != nil {
		return err
	}
	if !*keep {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			stop <- syscall.SIGTERM
		}()
	}
	<-stop
	return nil
}

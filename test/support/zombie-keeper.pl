# Runs a command, takes over every process that it leaves behind, and reaps none of them: what a container does
# whose first process is not an init. Says the command's pid, then waits until its standard input ends.
use strict;
use warnings;
my %prctl = (x86_64 => 157, aarch64 => 167);
my $machine = (POSIX::uname())[4];
use POSIX ();
my $set_child_subreaper = 36;
syscall($prctl{$machine}, $set_child_subreaper, 1, 0, 0, 0) == 0 or die "prctl: $!";
$SIG{CHLD} = 'DEFAULT';
my $pid = fork() // die "fork: $!";
if ($pid == 0) { exec(@ARGV) or die "exec: $!"; }
$| = 1;
print "keeper of $pid\n";
while (<STDIN>) { }

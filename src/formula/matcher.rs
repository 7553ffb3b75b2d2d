//! Salt's matchers: which hosts a line of a top file is for.
